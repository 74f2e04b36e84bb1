// Package azure keeps a bucket in a container of Azure Blob Storage, or of
// what speaks its protocol, such as Azurite.
//
// A body of at most 64 MiB whose size is known goes up in one request, a Put
// Blob with Content-Length, If-None-Match: * and the CRC-64 of the payload,
// which the service checks. It is read twice and never copied. Other bodies go
// up in blocks, of which Concurrency are in memory at once, each with its
// CRC-64; If-None-Match is then on the request that commits them. Blocks that
// are never committed are seen by nobody, and the service drops them after a
// week. Their ids are each writer's own, so that of two at once neither
// commits what the other sent.
//
// The SDK repeats nothing and logs nothing: storage.WithRetry and
// storage.WithTimeout are for that. Only the dialing has a limit of its own.
// Credentials come from a file that the options name, or from the default
// chain of azidentity: environment, workload identity, managed identity, and
// the command line tools of Azure.
//
// The service's word is taken only where it can be no one else's: its answers
// have the id of the request, a missing object the code BlobNotFound, a stored
// one an ETag, a listing the container's name. A proxy's page has none of them.
//
// Accounts with a hierarchical namespace (Data Lake Storage Gen2) list in
// another order than that of bytes, and are refused at the first list that
// shows it.
package azure

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// A Bucket is a container of Azure Blob Storage.
type Bucket struct {
	client   *container.Client
	o        Options   // with its defaults
	endpoint string    // of the account, without secrets
	expires  time.Time // when the shared access signature does; zero: none, or unknown
	page     int32     // objects in one answer to a List; tests make it small
}

var _ storage.Bucket = (*Bucket)(nil)

// New makes ready what reaches the container that o names. It reads files, but
// sends nothing: whether the container is there shows with the first call.
func New(_ context.Context, o Options) (*Bucket, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	a, err := o.access()
	if err != nil {
		return nil, err
	}
	client, err := newClient(o, a)
	if err != nil {
		return nil, err
	}
	return &Bucket{client: client, o: o, endpoint: a.endpoint, expires: a.expires(), page: 1000}, nil
}

func (b *Bucket) blob(name string) *blockblob.Client { return b.client.NewBlockBlobClient(name) }

// Stat describes an object.
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
	out, err := b.blob(name).GetProperties(ctx, nil)
	if err != nil {
		return storage.Info{}, err
	}
	if out.ETag == nil || out.ContentLength == nil || out.LastModified == nil {
		return storage.Info{}, remote.Wrong("the answer describes no object")
	}
	return storage.Info{Name: name, Size: *out.ContentLength, ModTime: *out.LastModified}, nil
}

// Delete removes an object. With soft delete or versions the service keeps it
// for the time that the account's settings say.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := storage.CheckName("delete", name); err != nil {
		return err
	}
	if _, err := b.blob(name).Delete(ctx, nil); err != nil {
		if err = remote.Failure(ctx, "delete", name, err, b.classify); !errors.Is(err, storage.ErrNotExist) {
			return err
		}
	}
	return nil
}

// unsatisfiable reports whether the object of a Get is there and ends before
// the range.
func unsatisfiable(err error) bool {
	a := refusal(err)
	return a != nil && a.Status == http.StatusRequestedRangeNotSatisfiable && a.Is("InvalidRange")
}
