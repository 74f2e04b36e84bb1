package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net/http"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// maxSingle is the size in bytes up to which a body goes up in one request.
const maxSingle = 64 << 20

var anyObject = "*"

// Put stores body.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	return remote.Put(ctx, name, body, b.put, b.classify)
}

func (b *Bucket) put(ctx context.Context, name string, body io.ReadSeeker) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	size := storage.BodySize(body)
	if size < 0 || size > maxSingle {
		return b.resolve(ctx, name, b.putParts(ctx, name, body))
	}
	sum, err := digest(body)
	if err != nil {
		return err
	}
	if err := storage.CheckSize(body, sum.size); err != nil {
		return err
	}
	return b.resolve(ctx, name, b.putWhole(ctx, name, body, sum))
}

// putWhole stores a body that has the sum in one request.
func (b *Bucket) putWhole(ctx context.Context, name string, body io.ReadSeeker, sum sum) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := &s3.PutObjectInput{
		Bucket: &b.o.Bucket, Key: &name, Body: body, ContentLength: &sum.size, IfNoneMatch: &anyObject,
		StorageClass:              types.StorageClass(b.o.StorageClass),
		ServerSideEncryption:      types.ServerSideEncryption(b.o.Encryption),
		SSEKMSKeyId:               remote.Optional(b.o.EncryptionKey),
		ObjectLockMode:            types.ObjectLockMode(b.o.RetainMode),
		ObjectLockRetainUntilDate: b.o.retainUntil(),
	}
	if b.crc {
		in.ChecksumCRC32C = &sum.crc32c
	}
	out, err := b.client.PutObject(ctx, in, sum.sign)
	if err == nil && out.ETag == nil {
		err = remote.Wrong("the answer is not that of a store")
	}
	return err
}

// resolve makes ErrExist of what a store answers to the loser of a race, where
// the answer leaves it open. On AWS a 409 says that others were at work under
// the name, not what came of it. Other stores refuse a taken name before they
// have read the body, and close: then the answer is lost to the writing side.
// Where any other answer was lost the object may be the caller's own, which
// another try would only find after sending all of it again.
func (b *Bucket) resolve(ctx context.Context, name string, err error) error {
	if !disputed(err) && !remote.BrokenOff(err) || ctx.Err() != nil {
		return err
	}
	if _, lookErr := b.stat(ctx, name); lookErr == nil {
		return storage.ErrExist
	}
	return err
}

func disputed(err error) bool {
	var answer *answer
	return errors.As(explain(err), &answer) && answer.Status == http.StatusConflict &&
		answer.Is("ConditionalRequestConflict", "OperationAborted")
}

// sum is what is known of the bytes of one request before they are sent.
type sum struct {
	size   int64
	sha256 string // in hex, as the signature has it
	crc32c string // in base64, as the header has it
}

// digest reads body from its start to its end.
func digest(body io.ReadSeeker) (sum, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return sum{}, err
	}
	sha, crc := sha256.New(), crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.CopyBuffer(io.MultiWriter(sha, crc), body, make([]byte, 128<<10))
	if err != nil {
		return sum{}, err
	}
	return sum{n, hex.EncodeToString(sha.Sum(nil)), base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc.Sum32()))}, nil
}

// sign has the request signed with the digest of its payload. Over TLS the SDK
// would otherwise send UNSIGNED-PAYLOAD, and no one would check the bytes.
func (s sum) sign(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("PayloadDigest",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				return next.HandleInitialize(v4.SetPayloadHash(ctx, s.sha256), in)
			}), middleware.After)
	})
}
