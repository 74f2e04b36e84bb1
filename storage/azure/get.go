package azure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// Get opens a range of an object.
func (b *Bucket) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := storage.CheckName("get", name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, &storage.Error{Op: "get", Name: name, Err: remote.Invalid("offset %d is negative", off)}
	}
	body, length, err := b.open(ctx, name, byteRange(off, n))
	if err != nil {
		return nil, remote.Failure(ctx, "get", name, err, b.classify)
	}
	if n == 0 {
		if err := body.Close(); err != nil {
			return nil, remote.Failure(ctx, "get", name, err, b.classify)
		}
		return http.NoBody, nil
	}
	return &remote.Reader{Context: ctx, Name: name, Body: body, Left: length, Classify: b.classify}, nil
}

// byteRange is a range of n bytes from off, or all if n < 0: then its Count is
// 0. No request asks for 0 bytes: that becomes 1.
func byteRange(off, n int64) blob.HTTPRange {
	if n < 0 {
		return blob.HTTPRange{Offset: off}
	}
	return blob.HTTPRange{Offset: off, Count: min(max(n, 1), math.MaxInt64-off)}
}

// open opens a range, of which the store has length bytes.
func (b *Bucket) open(ctx context.Context, name string, r blob.HTTPRange) (body io.ReadCloser, length int64, err error) {
	out, err := b.blob(name).DownloadStream(ctx, &blob.DownloadStreamOptions{Range: r})
	if unsatisfiable(err) {
		return http.NoBody, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if out.Body == nil {
		return nil, 0, remote.Wrong("the answer is no object")
	}
	length, err = extent(out, r)
	if err != nil {
		return nil, 0, errors.Join(err, out.Body.Close())
	}
	return out.Body, length, nil
}

// extent is how many bytes the answer to a request for a range has, if it is
// an answer to that.
func extent(out blob.DownloadStreamResponse, r blob.HTTPRange) (int64, error) {
	if out.ETag == nil || out.ContentLength == nil || *out.ContentLength < 0 {
		return 0, remote.Wrong("the answer is no object of a known length")
	}
	length := *out.ContentLength
	if r == (blob.HTTPRange{}) {
		return length, nil
	}
	var first, last int64
	got := ""
	if out.ContentRange != nil {
		got = *out.ContentRange
	}
	if _, err := fmt.Sscanf(got, "bytes %d-%d/", &first, &last); err != nil ||
		first != r.Offset || last-first+1 != length || r.Count > 0 && length > r.Count {
		return 0, remote.Wrong(fmt.Sprintf("asked for %d bytes from %d (0: all), the store sends %.60q", r.Count, r.Offset, cmp.Or(got, "the whole object")))
	}
	return length, nil
}
