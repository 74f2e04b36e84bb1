// Package s3 keeps a bucket in Amazon S3 or in a store that speaks its
// protocol: MinIO, Ceph, Cloudflare R2, Backblaze B2, gateways.
//
// A body of at most 64 MiB whose size is known goes up in one request, a plain
// PUT with Content-Length, If-None-Match: * and the SHA-256 of the payload in
// the signature, which every implementation checks. It is read twice and never
// copied. Other bodies go up in parts, of which Concurrency are in memory at
// once; If-None-Match is then on the request that completes them, and what
// fails is aborted. On AWS, and where a retention is asked for, the CRC-32C of
// each request's bytes goes along and is kept with the object. No request has
// a trailing checksum or an aws-chunked body, which many compatible stores
// refuse.
//
// The SDK repeats nothing and logs nothing: storage.WithRetry and
// storage.WithTimeout are for that. Only the dialing has a limit of its own.
// Credentials come from the SDK's chain: environment, shared files, web
// identity, container and instance metadata.
//
// The store's word is taken only where it can be no one else's: a missing
// object by the code NoSuchKey, a stored one by its ETag, a listing by the
// bucket's name in it. A portal's or proxy's page is none of them.
package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// A Bucket is a bucket of S3.
type Bucket struct {
	client *s3.Client
	o      Options // with its defaults
	aws    bool    // not some other store
	crc    bool    // send CRC-32C
	page   int32   // objects in one answer to a List; tests make it small
}

var _ storage.Bucket = (*Bucket)(nil)

// New makes ready what reaches the bucket that o names. It reads files, but
// sends nothing: whether the bucket is there shows with the first call.
func New(ctx context.Context, o Options) (*Bucket, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	client, err := newClient(ctx, o)
	if err != nil {
		return nil, err
	}
	aws := client.Options().BaseEndpoint == nil
	return &Bucket{client: client, o: o, aws: aws, crc: aws || o.RetainMode != "", page: 1000}, nil
}

// Stat describes an object. The answer to a HEAD has no body that could say
// what is missing, object or bucket, so that a miss is asked for once more.
func (b *Bucket) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := storage.CheckName("stat", name); err != nil {
		return storage.Info{}, err
	}
	info, err := b.stat(ctx, name)
	if err != nil {
		return storage.Info{}, remote.Failure(ctx, "stat", name, err, b.classify)
	}
	return info, nil
}

func (b *Bucket) stat(ctx context.Context, name string) (storage.Info, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.o.Bucket, Key: &name})
	if status(err) == http.StatusNotFound {
		body, _, err := b.open(ctx, name, 0, 1)
		if err == nil {
			err = errors.Join(remote.Wrong("HEAD says 404 and GET says 200"), body.Close())
		}
		return storage.Info{}, err
	}
	if err != nil {
		return storage.Info{}, err
	}
	if out.ETag == nil || out.ContentLength == nil || out.LastModified == nil {
		return storage.Info{}, remote.Wrong("the answer describes no object")
	}
	return storage.Info{Name: name, Size: *out.ContentLength, ModTime: *out.LastModified}, nil
}

// Delete removes an object. In a bucket with versions it puts a delete marker
// above it, as long as the policy allows that.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := storage.CheckName("delete", name); err != nil {
		return err
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.o.Bucket, Key: &name})
	if err == nil {
		return nil
	}
	if err = remote.Failure(ctx, "delete", name, err, b.classify); errors.Is(err, storage.ErrNotExist) {
		return nil // as some stores answer
	}
	return err
}

// Get opens a range of an object.
func (b *Bucket) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := storage.CheckName("get", name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, &storage.Error{Op: "get", Name: name, Err: fmt.Errorf("offset %d: %w", off, storage.ErrInvalid)}
	}
	body, length, err := b.open(ctx, name, off, n)
	if err != nil {
		return nil, remote.Failure(ctx, "get", name, err, b.classify)
	}
	return &remote.Reader{Context: ctx, Name: name, Body: body, Left: length, Classify: b.classify}, nil
}

// open opens n bytes from off, of which the store has length.
func (b *Bucket) open(ctx context.Context, name string, off, n int64) (body io.ReadCloser, length int64, err error) {
	in := &s3.GetObjectInput{Bucket: &b.o.Bucket, Key: &name}
	if off > 0 || n >= 0 {
		in.Range = aws.String(byteRange(off, max(n, -1)))
	}
	out, err := b.client.GetObject(ctx, in)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return http.NoBody, 0, nil // the object is there, and ends earlier
	}
	if err != nil {
		return nil, 0, err
	}
	length, err = extent(out, off, n)
	if err != nil {
		return nil, 0, errors.Join(err, out.Body.Close())
	}
	if n == 0 {
		return http.NoBody, 0, out.Body.Close()
	}
	return out.Body, length, nil
}

// byteRange is a Range header for n bytes, or all if n < 0. No header asks
// for 0 bytes: that becomes 1.
func byteRange(off, n int64) string {
	last := off + max(n, 1) - 1
	if n < 0 || last < off {
		return fmt.Sprintf("bytes=%d-", off)
	}
	return fmt.Sprintf("bytes=%d-%d", off, last)
}

// extent is how many bytes the answer to a request for n bytes from off has,
// if it is an answer to that.
func extent(out *s3.GetObjectOutput, off, n int64) (int64, error) {
	if out.ContentLength == nil || out.ETag == nil {
		return 0, remote.Wrong("the answer is no object of a known length")
	}
	if off == 0 && n < 0 {
		return *out.ContentLength, nil
	}
	var first, last int64
	got := aws.ToString(out.ContentRange)
	if _, err := fmt.Sscanf(got, "bytes %d-%d/", &first, &last); err != nil ||
		first != off || last-first+1 != *out.ContentLength || n >= 0 && last-first >= max(n, 1) {
		return 0, remote.Wrong(fmt.Sprintf("asked for %s, the store sends %.60q", byteRange(off, n), cmp.Or(got, "the whole object")))
	}
	return *out.ContentLength, nil
}
