package gcs

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"time"

	sdk "cloud.google.com/go/storage"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// maxSingle is the size in bytes up to which a body goes up in one request.
const maxSingle = 64 << 20

// withdrawTime bounds the clearing up after a failure.
const withdrawTime = 5 * time.Second

// Put stores body.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	if err := storage.CheckName("put", name); err != nil {
		return err
	}
	source := &source{body: body}
	err := b.put(ctx, name, source)
	switch {
	case err == nil:
		return nil
	case source.err != nil && ctx.Err() == nil:
		return &storage.Error{Op: "put", Name: name, Err: source.err}
	}
	return remote.Failure(ctx, "put", name, b.unfound(ctx, b.resolve(ctx, name, err)), b.classify)
}

// resolve makes ErrExist of an answer that was lost with its connection, if the
// name is taken: by another, whom a store refuses before it has read the body,
// or by this object.
func (b *Bucket) resolve(ctx context.Context, name string, err error) error {
	if !remote.BrokenOff(err) || ctx.Err() != nil {
		return err
	}
	if attrs, lookErr := b.object(name).Attrs(ctx); lookErr == nil && attrs.Name == name {
		return storage.ErrExist
	}
	return err
}

func (b *Bucket) put(ctx context.Context, name string, body *source) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := b.object(name).If(sdk.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ContentType = "application/octet-stream"
	w.StorageClass = b.o.StorageClass
	w.KMSKeyName = b.o.EncryptionKey
	w.Retention = b.o.retention()
	w.ChunkSize = int(b.o.PartSize)
	if size := storage.BodySize(body.body); 0 <= size && size <= maxSingle {
		if err := body.readThrough(); err != nil {
			return err
		}
		w.ChunkSize, w.SendCRC32C, w.CRC32C = 0, true, body.sum
	}
	if err := body.rewind(); err != nil {
		return err
	}
	if err := send(w, body, cancel); err != nil {
		return err
	}
	return b.confirm(ctx, w.Attrs(), name, body)
}

// send sends body. Of what fails, before the store has the last byte, nothing
// is stored: cancel comes before Close, which otherwise would end the object.
func send(w *sdk.Writer, body *source, cancel context.CancelFunc) error {
	_, err := io.CopyBuffer(w, body, make([]byte, 128<<10))
	if err == nil {
		err = storage.CheckSize(body.body, body.n)
	}
	if err != nil {
		cancel()
		_ = w.Close() // waits; err says why
		return err
	}
	return w.Close()
}

// confirm compares what the store has with what was sent. Its own check comes
// before; this one is for stores that do without, and what they spoiled is
// withdrawn.
func (b *Bucket) confirm(ctx context.Context, attrs *sdk.ObjectAttrs, name string, body *source) error {
	switch {
	case attrs.Name != name || attrs.Generation == 0:
		return remote.Wrong("the answer describes another object")
	case attrs.Size != body.n || attrs.CRC32C != body.sum:
		err := storage.Classify(errors.New("the store has other bytes than were sent"), storage.ErrUnavailable, "")
		return errors.Join(err, b.withdraw(ctx, name, attrs.Generation))
	}
	return nil
}

// withdraw deletes the object of one generation, also when ctx has ended.
func (b *Bucket) withdraw(ctx context.Context, name string, generation int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	return b.object(name).If(sdk.Conditions{GenerationMatch: generation}).Delete(ctx)
}

// unfound explains a Put's 404: the bucket is not there, or the session was
// forgotten, which another try does not mind.
func (b *Bucket) unfound(ctx context.Context, err error) error {
	if status(err) != http.StatusNotFound {
		return err
	}
	for _, listErr := range b.list(ctx, "", "", 1) {
		if listErr != nil {
			return listErr
		}
		break
	}
	return storage.Classify(explain(err), storage.ErrUnavailable, "")
}

// A source is a Put's body. It counts and sums up what is read and remembers
// whether the body itself failed.
type source struct {
	body io.ReadSeeker
	n    int64
	sum  uint32 // CRC-32C
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.n += int64(n)
	s.sum = crc32.Update(s.sum, castagnoli, p[:n])
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) rewind() error {
	s.n, s.sum = 0, 0
	_, s.err = s.body.Seek(0, io.SeekStart)
	return s.err
}

// readThrough reads the body from its start to its end, for n and sum.
func (s *source) readThrough() error {
	if err := s.rewind(); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{s}, make([]byte, 128<<10)); err != nil {
		return err
	}
	return storage.CheckSize(s.body, s.n)
}
