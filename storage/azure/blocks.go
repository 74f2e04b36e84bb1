package azure

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"walarchive/storage/remote"
)

// maxBlocks is how many blocks the service takes for one object.
const maxBlocks = 50_000

// putBlocks stores a body that is large or of unknown size. One that turns out
// to fit into a block goes up whole.
func (b *Bucket) putBlocks(ctx context.Context, name string, body io.ReadSeeker) error {
	blocks := remote.Parts{Size: b.o.PartSize, Max: maxBlocks, Concurrency: b.o.Concurrency}
	first, whole, err := blocks.First(body)
	if err != nil {
		return err
	}
	if whole {
		return b.putBytes(ctx, name, first)
	}
	u := newUpload(b, name)
	n, err := blocks.Send(ctx, first, body, u.stage)
	if err != nil {
		return err
	}
	return u.commit(ctx, n)
}

func (b *Bucket) putBytes(ctx context.Context, name string, data []byte) error {
	body := bytes.NewReader(data)
	sum, _, err := digest(body)
	if err != nil {
		return err
	}
	return b.putWhole(ctx, name, body, sum)
}

// An upload is an object on its way in blocks.
type upload struct {
	b      *Bucket
	client *blockblob.Client
	prefix [12]byte // of the ids, this upload's own
}

func newUpload(b *Bucket, name string) *upload {
	u := &upload{b: b, client: b.blob(name)}
	_, _ = rand.Read(u.prefix[:]) // never fails
	return u
}

// id is that of block n, from 0. All have the same length, as they must.
func (u *upload) id(n int) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(u.prefix[:], uint32(n)))
}

func (u *upload) stage(ctx context.Context, n int, data []byte) error {
	body := bytes.NewReader(data)
	sum, _, err := digest(body)
	if err != nil {
		return err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = u.client.StageBlock(ctx, u.id(n), streaming.NopCloser(body), &blockblob.StageBlockOptions{
		CPKScopeInfo: u.b.o.scope(), TransactionalValidation: blob.TransferValidationTypeCRC64(sum),
	})
	return err
}

// commit makes the first count blocks an object, if the name is free.
func (u *upload) commit(ctx context.Context, count int) error {
	ids := make([]string, count)
	for n := range ids {
		ids[n] = u.id(n)
	}
	mode, until := u.b.o.retention()
	out, err := u.client.CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		AccessConditions: absent(), Tier: u.b.o.tier(), CPKScopeInfo: u.b.o.scope(),
		ImmutabilityPolicyMode: mode, ImmutabilityPolicyExpiryTime: until,
	})
	if err == nil && (out.ETag == nil || out.LastModified == nil) {
		err = remote.Wrong("the answer is not that of a store")
	}
	return err
}
