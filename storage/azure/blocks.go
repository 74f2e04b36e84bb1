package azure

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"golang.org/x/sync/errgroup"

	"walarchive/storage"
)

// maxBlocks is how many blocks the service takes for one object.
const maxBlocks = 50_000

// putBlocks stores a body that is large or of unknown size. One that turns out
// to fit into a block goes up whole.
func (b *Bucket) putBlocks(ctx context.Context, name string, body *lentBody) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	first, err := readBlock(body, make([]byte, b.blockSize(storage.BodySize(body))))
	if err == io.EOF {
		if err := storage.CheckSize(body, int64(len(first))); err != nil {
			return err
		}
		return b.putBytes(ctx, name, first)
	}
	if err != nil {
		return err
	}
	u := newUpload(b, name)
	if err := u.send(ctx, first, body); err != nil {
		return err
	}
	return u.commit(ctx)
}

func (b *Bucket) putBytes(ctx context.Context, name string, data []byte) error {
	body := bytes.NewReader(data)
	sum, _, err := digest(body)
	if err != nil {
		return err
	}
	return b.putWhole(ctx, name, body, sum)
}

// blockSize is the size of all blocks but the last, in bytes, for a body of
// the given size or an unknown one (-1).
func (b *Bucket) blockSize(size int64) int64 {
	return max(b.o.PartSize, (size+maxBlocks-1)/maxBlocks)
}

// readBlock fills data, or returns the shorter rest and io.EOF where the body
// ends.
func readBlock(body io.Reader, data []byte) ([]byte, error) {
	n, err := io.ReadFull(body, data)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return data[:n], err
}

// An upload is an object on its way in blocks.
type upload struct {
	b      *Bucket
	client *blockblob.Client
	prefix [12]byte // of the ids, this upload's own
	blocks int
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

// send sends block and the rest of body, as many blocks at once as there are
// buffers.
func (u *upload) send(ctx context.Context, block []byte, body *lentBody) error {
	group, ctx := errgroup.WithContext(ctx)
	size, total := int64(len(block)), int64(0)
	free := make(chan []byte, u.b.o.Concurrency)
	for range u.b.o.Concurrency - 1 {
		free <- nil
	}
	var err error
	for len(block) > 0 && ctx.Err() == nil {
		total += int64(len(block))
		id, data := u.id(u.blocks), block
		u.blocks++
		group.Go(func() error {
			defer func() { free <- data }()
			return u.stage(ctx, id, data)
		})
		if err == io.EOF {
			break
		}
		if block, err = u.next(<-free, size, body); err != nil && err != io.EOF {
			return errors.Join(err, group.Wait())
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return storage.CheckSize(body, total)
}

// next reads the next block into a used buffer, or into a new one of size
// bytes if there is none.
func (u *upload) next(buffer []byte, size int64, body io.Reader) ([]byte, error) {
	if buffer == nil {
		buffer = make([]byte, size)
	}
	block, err := readBlock(body, buffer[:size])
	if u.blocks == maxBlocks && len(block) > 0 {
		return nil, storage.Classify(fmt.Errorf("more than %d blocks of %d bytes", maxBlocks, size),
			storage.ErrTooLarge, "larger parts allow larger objects")
	}
	return block, err
}

func (u *upload) stage(ctx context.Context, id string, data []byte) error {
	body := bytes.NewReader(data)
	sum, _, err := digest(body)
	if err != nil {
		return err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = u.client.StageBlock(ctx, id, streaming.NopCloser(body), &blockblob.StageBlockOptions{
		CPKScopeInfo: u.b.o.scope(), TransactionalValidation: blob.TransferValidationTypeCRC64(sum),
	})
	return err
}

// commit makes the blocks an object, if the name is free.
func (u *upload) commit(ctx context.Context) error {
	ids := make([]string, u.blocks)
	for n := range ids {
		ids[n] = u.id(n)
	}
	mode, until := u.b.o.retention()
	out, err := u.client.CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		AccessConditions: absent(), Tier: u.b.o.tier(), CPKScopeInfo: u.b.o.scope(),
		ImmutabilityPolicyMode: mode, ImmutabilityPolicyExpiryTime: until,
	})
	if err == nil && (out.ETag == nil || out.LastModified == nil) {
		err = wrong("the answer is not that of a store")
	}
	return err
}
