// Package gcs keeps a bucket in Google Cloud Storage, by its JSON API.
//
// A body of at most 64 MiB whose size is known goes up in one request with the
// condition ifGenerationMatch=0 and its CRC-32C, which the store checks before
// anybody sees the object. It is read twice and never copied. Other bodies go
// up in a resumable session, piece by piece: one piece of PartSize bytes is in
// memory for each Put, the condition holds at the session's beginning and at
// its end, the CRC-32C goes along with the last piece. Of a session that fails
// nobody sees anything, and the store forgets it within a week. The CRC-32C in
// the answer is compared, too, and so is that of an object which a Get reads
// from its first byte to its last.
//
// The SDK repeats nothing: storage.WithRetry and storage.WithTimeout are for
// that. Only the dialing has a limit of its own. Credentials are Google's
// Application Default Credentials: the file that GOOGLE_APPLICATION_CREDENTIALS
// names (a key, workload identity, impersonation), gcloud's, or the metadata
// service of the machine.
//
// The store's word is taken only where it can be no one else's: an object, a
// listing or a stored body by its kind in the answer, content by the store's
// own headers. A missing object must be named by the store, or be missing from
// a listing of its bucket. A portal's or proxy's page is none of them.
package gcs

import (
	"context"
	"errors"
	"net/http"

	sdk "cloud.google.com/go/storage"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// A Bucket is a bucket of Cloud Storage.
type Bucket struct {
	client *sdk.Client
	o      Options // with its defaults
	page   int     // objects in one answer to a List; tests make it small
}

var _ storage.Bucket = (*Bucket)(nil)

// New makes ready what reaches the bucket that o names. It reads files, and
// may ask the machine's metadata service whether it is there, but sends
// nothing to the store: whether the bucket is there shows with the first call.
func New(ctx context.Context, o Options) (*Bucket, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	client, err := newClient(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Bucket{client: client, o: o, page: 1000}, nil
}

// Stat describes an object.
func (b *Bucket) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := storage.CheckName("stat", name); err != nil {
		return storage.Info{}, err
	}
	attrs, err := b.object(name).Attrs(ctx)
	if err == nil && attrs.Name != name {
		err = remote.Wrong("the answer describes another object")
	}
	if err != nil {
		return storage.Info{}, remote.Failure(ctx, "stat", name, b.missing(ctx, name, err), b.classify)
	}
	return info(attrs), nil
}

// Delete removes an object. In a bucket with versions it becomes noncurrent.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := storage.CheckName("delete", name); err != nil {
		return err
	}
	err := b.missing(ctx, name, b.object(name).Delete(ctx))
	if err == nil || errors.Is(err, storage.ErrNotExist) {
		return nil
	}
	return remote.Failure(ctx, "delete", name, err, b.classify)
}

func (b *Bucket) object(name string) *sdk.ObjectHandle {
	return b.client.Bucket(b.o.Bucket).Object(name)
}

func info(attrs *sdk.ObjectAttrs) storage.Info {
	return storage.Info{Name: attrs.Name, Size: attrs.Size, ModTime: attrs.Updated}
}

// missing makes storage.ErrNotExist of a 404 for name, once it is sure that
// the object is what is missing. If the answer does not name it, as those to
// requests for content may not, or as what comes from a proxy, a listing
// decides: only a bucket that is there can show one without the object.
func (b *Bucket) missing(ctx context.Context, name string, err error) error {
	var a *answer
	if !errors.As(explain(err), &a) || a.Status != http.StatusNotFound {
		return err
	}
	if a.Message == "No such object: "+b.o.Bucket+"/"+name {
		return storage.ErrNotExist
	}
	for listed, err := range b.list(ctx, name, "", 1) {
		if err != nil {
			return err
		}
		if listed.Name == name {
			return remote.Wrong("the store lists the object and says that it is not there")
		}
		break
	}
	return storage.ErrNotExist
}
