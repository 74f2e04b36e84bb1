package azure

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// List asks for a page when the one before was taken.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return remote.List(ctx, prefix, b.list(ctx, prefix, after), b.classify)
}

// list yields what is in the container, in the store's order, which must be
// that of bytes. Names that are none of ours are left out, and those up to
// after: the service begins with after itself, and some servers at the start.
func (b *Bucket) list(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		last := ""
		for page, err := range b.pages(ctx, prefix, after) {
			if err != nil {
				yield(storage.Info{}, err)
				return
			}
			for _, item := range page {
				name := *item.Name
				if name <= last {
					yield(storage.Info{}, disordered(name, last))
					return
				}
				last = name
				if name <= after || !strings.HasPrefix(name, prefix) || !storage.ValidName(name) {
					continue
				}
				if !yield(storage.Info{Name: name, Size: *item.Properties.ContentLength, ModTime: *item.Properties.LastModified}, nil) {
					return
				}
			}
		}
	}
}

func disordered(name, last string) error {
	return storage.Classify(fmt.Errorf("the list has %.100q after %.100q", name, last), errors.ErrUnsupported,
		"accounts with a hierarchical namespace (Data Lake Storage) are not supported: use one without")
}

// pages yields the answers to a List. A page may be empty and not the last.
func (b *Bucket) pages(ctx context.Context, prefix, after string) iter.Seq2[[]*container.BlobItem, error] {
	return func(yield func([]*container.BlobItem, error) bool) {
		pager := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
			Prefix: remote.Optional(prefix), StartFrom: remote.Optional(after), MaxResults: &b.page,
			ResponseFormat: container.StorageResponseFormatXML,
		})
		marker := ""
		for pager.More() {
			out, err := pager.NextPage(ctx)
			if err == nil {
				err = b.checkPage(out, marker)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(out.Segment.BlobItems, nil) {
				return
			}
			if out.NextMarker != nil {
				marker = *out.NextMarker
			}
		}
	}
}

// checkPage refuses what is no list of this container: an empty list counts as
// an answer, and some other document would look like one. marker is where the
// page before said to go on.
func (b *Bucket) checkPage(out container.ListBlobsFlatResponse, marker string) error {
	switch {
	case out.ContainerName == nil || *out.ContainerName != b.o.Container || out.Segment == nil:
		return remote.Wrong("the answer is no list of the container")
	case out.NextMarker != nil && *out.NextMarker != "" && *out.NextMarker == marker:
		return remote.Wrong("the list goes on where it was before")
	}
	for _, item := range out.Segment.BlobItems {
		if item == nil || item.Name == nil || item.Properties == nil ||
			item.Properties.ContentLength == nil || item.Properties.LastModified == nil {
			return remote.Wrong("the list has an object without name, size or time")
		}
	}
	return nil
}
