package s3

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"walarchive/storage/remote"
)

// maxParts is how many parts S3 takes for one object.
const maxParts = 10_000

// abortTime bounds the clearing up after a failure.
const abortTime = 5 * time.Second

// putParts stores a body that is large or of unknown size. One that turns out
// to fit into a part goes up whole.
func (b *Bucket) putParts(ctx context.Context, name string, body io.ReadSeeker) error {
	parts := remote.Parts{Size: b.o.PartSize, Max: maxParts, Concurrency: b.o.Concurrency}
	first, whole, err := parts.First(body)
	if err != nil {
		return err
	}
	if whole {
		return b.putBytes(ctx, name, first)
	}
	u, err := b.begin(ctx, name)
	if err != nil {
		return err
	}
	_, err = parts.Send(ctx, first, body, u.send)
	if err == nil {
		err = u.complete(ctx)
	}
	if err != nil {
		u.abort(ctx)
	}
	return err
}

func (b *Bucket) putBytes(ctx context.Context, name string, data []byte) error {
	body := bytes.NewReader(data)
	sum, err := digest(body)
	if err != nil {
		return err
	}
	return b.putWhole(ctx, name, body, sum)
}

// An upload is an object on its way in parts. Until it is complete nobody
// sees it, but it costs as much as an object.
type upload struct {
	b    *Bucket
	name string
	id   *string

	mu    sync.Mutex
	parts []types.CompletedPart
}

func (b *Bucket) begin(ctx context.Context, name string) (*upload, error) {
	in := &s3.CreateMultipartUploadInput{
		Bucket: &b.o.Bucket, Key: &name,
		StorageClass:              types.StorageClass(b.o.StorageClass),
		ServerSideEncryption:      types.ServerSideEncryption(b.o.Encryption),
		SSEKMSKeyId:               remote.Optional(b.o.EncryptionKey),
		ObjectLockMode:            types.ObjectLockMode(b.o.RetainMode),
		ObjectLockRetainUntilDate: b.o.retainUntil(),
	}
	if b.crc {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
	}
	out, err := b.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, err
	}
	if out.UploadId == nil {
		return nil, remote.Wrong("the answer to the beginning of an upload has no id")
	}
	return &upload{b: b, name: name, id: out.UploadId}, nil
}

// send sends the part of a number, from 0; S3 counts from 1.
func (u *upload) send(ctx context.Context, number int, data []byte) error {
	body := bytes.NewReader(data)
	sum, err := digest(body)
	if err != nil {
		return err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	ordinal := int32(number + 1)
	in := &s3.UploadPartInput{
		Bucket: &u.b.o.Bucket, Key: &u.name, UploadId: u.id, PartNumber: &ordinal,
		Body: body, ContentLength: &sum.size,
	}
	part := types.CompletedPart{PartNumber: &ordinal}
	if u.b.crc {
		in.ChecksumCRC32C, part.ChecksumCRC32C = &sum.crc32c, &sum.crc32c
	}
	out, err := u.b.client.UploadPart(ctx, in, sum.sign)
	if err != nil {
		return err
	}
	if out.ETag == nil {
		return remote.Wrong("the answer to a part has no ETag")
	}
	part.ETag = out.ETag
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts = append(u.parts, part)
	return nil
}

// complete makes the parts an object, if the name is free.
func (u *upload) complete(ctx context.Context) error {
	slices.SortFunc(u.parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	out, err := u.b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.b.o.Bucket, Key: &u.name, UploadId: u.id, IfNoneMatch: &anyObject,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if err == nil && out.ETag == nil {
		err = remote.Wrong("the answer to the end of an upload has no ETag")
	}
	return err
}

// abort has the store forget the parts, also when ctx has ended. An upload
// that could not be aborted is left to the bucket's lifecycle rules: the
// failure that led here is what the caller must hear of.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	_, _ = u.b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &u.b.o.Bucket, Key: &u.name, UploadId: u.id,
	})
}
