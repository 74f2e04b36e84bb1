package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"walarchive/storage"
)

// maxParts is how many parts S3 takes for one object.
const maxParts = 10_000

// abortTime bounds the clearing up after a failure.
const abortTime = 5 * time.Second

// putParts stores a body that is large or of unknown size. One that turns out
// to fit into a part goes up whole.
func (b *Bucket) putParts(ctx context.Context, name string, body *lentBody) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	first, err := readPart(body, make([]byte, b.partSize(storage.BodySize(body))))
	if err == io.EOF {
		if err := storage.CheckSize(body, int64(len(first))); err != nil {
			return err
		}
		return b.putBytes(ctx, name, first)
	}
	if err != nil {
		return err
	}
	u, err := b.begin(ctx, name)
	if err != nil {
		return err
	}
	err = u.send(ctx, first, body)
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

// partSize is the size of all parts but the last, in bytes, for a body of the
// given size or an unknown one (-1).
func (b *Bucket) partSize(size int64) int64 {
	return max(b.o.PartSize, (size+maxParts-1)/maxParts)
}

// readPart fills data, or returns the shorter rest and io.EOF where the body
// ends.
func readPart(body io.Reader, data []byte) ([]byte, error) {
	n, err := io.ReadFull(body, data)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return data[:n], err
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
		SSEKMSKeyId:               optional(b.o.EncryptionKey),
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
		return nil, wrong("the answer to the beginning of an upload has no id")
	}
	return &upload{b: b, name: name, id: out.UploadId}, nil
}

// send sends part and the rest of body, as many parts at once as there are
// buffers.
func (u *upload) send(ctx context.Context, part []byte, body *lentBody) error {
	group, ctx := errgroup.WithContext(ctx)
	size, total := int64(len(part)), int64(0)
	free := make(chan []byte, u.b.o.Concurrency)
	for range u.b.o.Concurrency - 1 {
		free <- nil
	}
	var err error
	for number := int32(1); len(part) > 0 && ctx.Err() == nil; number++ {
		total += int64(len(part))
		data := part
		group.Go(func() error {
			defer func() { free <- data }()
			return u.sendPart(ctx, number, data)
		})
		if err == io.EOF {
			break
		}
		part, err = u.next(number, <-free, size, body)
		if err != nil && err != io.EOF {
			return errors.Join(err, group.Wait())
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return storage.CheckSize(body, total)
}

// next reads the part after number into a used buffer, or into a new one of
// size bytes if there is none.
func (u *upload) next(number int32, buffer []byte, size int64, body io.Reader) ([]byte, error) {
	if buffer == nil {
		buffer = make([]byte, size)
	}
	part, err := readPart(body, buffer[:size])
	if number == maxParts && len(part) > 0 {
		return nil, storage.Classify(fmt.Errorf("more than %d parts of %d bytes", maxParts, size),
			storage.ErrTooLarge, "larger parts allow larger objects")
	}
	return part, err
}

func (u *upload) sendPart(ctx context.Context, number int32, data []byte) error {
	body := bytes.NewReader(data)
	sum, err := digest(body)
	if err != nil {
		return err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := &s3.UploadPartInput{
		Bucket: &u.b.o.Bucket, Key: &u.name, UploadId: u.id, PartNumber: &number,
		Body: body, ContentLength: &sum.size,
	}
	part := types.CompletedPart{PartNumber: &number}
	if u.b.crc {
		in.ChecksumCRC32C, part.ChecksumCRC32C = &sum.crc32c, &sum.crc32c
	}
	out, err := u.b.client.UploadPart(ctx, in, sum.sign)
	if err != nil {
		return err
	}
	if out.ETag == nil {
		return wrong("the answer to a part has no ETag")
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
		err = wrong("the answer to the end of an upload has no ETag")
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
