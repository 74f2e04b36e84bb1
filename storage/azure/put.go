package azure

import (
	"context"
	"hash/crc64"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// maxSingle is the size in bytes up to which a body goes up in one request.
const maxSingle = 64 << 20

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
		return b.resolve(ctx, name, b.putBlocks(ctx, name, body))
	}
	sum, n, err := digest(body)
	if err != nil {
		return err
	}
	if err := storage.CheckSize(body, n); err != nil {
		return err
	}
	return b.resolve(ctx, name, b.putWhole(ctx, name, body, sum))
}

// putWhole stores a body that has the sum in one request.
func (b *Bucket) putWhole(ctx context.Context, name string, body io.ReadSeeker, sum uint64) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	mode, until := b.o.retention()
	out, err := b.blob(name).Upload(ctx, streaming.NopCloser(body), &blockblob.UploadOptions{
		AccessConditions: absent(), Tier: b.o.tier(), CPKScopeInfo: b.o.scope(),
		ImmutabilityPolicyMode: mode, ImmutabilityPolicyExpiryTime: until,
		TransactionalValidation: blob.TransferValidationTypeCRC64(sum),
	})
	if err == nil && (out.ETag == nil || out.LastModified == nil) {
		err = remote.Wrong("the answer is not that of a store")
	}
	return err
}

// absent is the condition that the name is free.
func absent() *blob.AccessConditions {
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
}

// resolve makes ErrExist of what the service answers to one who comes second
// without saying so: an object that is locked or leased is refused as such,
// credentials that may only create are not allowed to, and blocks are gone
// once another writer has stored the object. An answer can also be lost with its
// connection.
func (b *Bucket) resolve(ctx context.Context, name string, err error) error {
	if !unclear(err) || ctx.Err() != nil {
		return err
	}
	if _, lookErr := b.stat(ctx, name); lookErr == nil {
		return storage.ErrExist
	}
	return err
}

// unclear reports whether err may hide that the name is taken.
func unclear(err error) bool {
	a := refusal(err)
	switch {
	case a == nil:
		return remote.BrokenOff(err)
	case a.Is("BlobAlreadyExists", "ConditionNotMet"):
		return false // it says so
	}
	return a.Status == http.StatusConflict || a.Status == http.StatusPreconditionFailed ||
		a.Is("AuthorizationPermissionMismatch", "InvalidBlockList", "InvalidBlobOrBlock")
}

// polynomial is that of Azure's CRC-64, reversed (the one of NVMe).
const polynomial = 0x9A6C9329AC4BC9B5

// digest reads body from its start to its end.
func digest(body io.ReadSeeker) (sum uint64, n int64, err error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	crc := crc64.New(crc64.MakeTable(polynomial))
	n, err = io.CopyBuffer(crc, struct{ io.Reader }{body}, make([]byte, 256<<10))
	return crc.Sum64(), n, err
}
