package gcs

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net/http"

	sdk "cloud.google.com/go/storage"

	"walarchive/storage"
	"walarchive/storage/remote"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Get opens a range of an object.
func (b *Bucket) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := storage.CheckName("get", name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, &storage.Error{Op: "get", Name: name, Err: fmt.Errorf("offset %d: %w", off, storage.ErrInvalid)}
	}
	body, err := b.open(ctx, name, off, n)
	if err != nil {
		return nil, remote.Failure(ctx, "get", name, b.missing(ctx, name, err), b.classify)
	}
	return body, nil
}

func (b *Bucket) open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	length := max(n, -1)
	switch {
	case n == 0:
		length = 1 // no range has 0 bytes
	case n > math.MaxInt64-off:
		length = -1
	}
	noted, note := withNote(ctx)
	body, err := b.object(name).NewRangeReader(noted, off, length)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return http.NoBody, nil // the object is there, and ends earlier
	}
	if err != nil {
		return nil, err
	}
	if err := checkRange(body, off, length); err != nil {
		return nil, errors.Join(err, body.Close())
	}
	if n == 0 {
		return http.NoBody, body.Close()
	}
	return &reader{b: b, ctx: ctx, name: name, body: body, note: note, length: body.Remain(), left: body.Remain()}, nil
}

// checkRange holds the answer to what was asked for: n bytes from off, all
// for n < 0, or as many as there are.
func checkRange(body *sdk.Reader, off, n int64) error {
	want := body.Attrs.Size - off
	if n >= 0 {
		want = min(want, n)
	}
	if body.Attrs.StartOffset != off || body.Remain() != want {
		return remote.Wrong(fmt.Sprintf("asked for %d bytes from %d, the store sends %d from %d",
			want, off, body.Remain(), body.Attrs.StartOffset))
	}
	return nil
}

// A reader holds the store to the length that it announced, and the bytes of
// a whole object to their checksum.
type reader struct {
	b      *Bucket
	ctx    context.Context
	name   string
	body   *sdk.Reader
	note   *note
	length int64 // of the range
	left   int64
	sum    uint32 // CRC-32C of what was read
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil { // though bytes may wait in a buffer
		return 0, remote.Failure(r.ctx, "get", r.name, err, r.b.classify)
	}
	n, err := r.body.Read(p)
	r.left -= int64(n)
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	switch {
	case err == nil:
		return n, nil
	case r.note.err != nil:
		err = r.note.err
	case r.left != 0:
		err = io.ErrUnexpectedEOF
	case r.damaged():
		err = storage.Classify(errors.New("the bytes have another CRC-32C than the store says"), storage.ErrUnavailable, "")
	}
	if err == io.EOF {
		return n, err
	}
	return n, remote.Failure(r.ctx, "get", r.name, err, r.b.classify)
}

// damaged reports whether a whole object, also one that a range covers, has
// another checksum than its own. The SDK takes 0 for none.
func (r *reader) damaged() bool {
	want := r.body.Attrs.CRC32C
	whole := r.length == r.body.Attrs.Size
	return whole && want != 0 && want != r.sum
}

func (r *reader) Close() error { return r.body.Close() }
