package gcs

import (
	"context"
	"fmt"
	"iter"

	sdk "cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// List asks for a page when the one before was taken.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return remote.List(ctx, prefix, b.list(ctx, prefix, after, b.page), b.classify)
}

// list yields what is in the bucket, in the store's order, which must be that
// of bytes. Names that are none of ours, such as the folders that consoles
// make, are left out.
func (b *Bucket) list(ctx context.Context, prefix, after string, page int) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		query := &sdk.Query{Prefix: prefix, StartOffset: startOffset(after), Projection: sdk.ProjectionNoACL}
		if err := query.SetAttrSelection([]string{"Name", "Size", "Updated"}); err != nil {
			yield(storage.Info{}, err)
			return
		}
		objects := b.client.Bucket(b.o.Bucket).Objects(ctx, query)
		objects.PageInfo().MaxSize = page
		for last := ""; ; {
			attrs, err := objects.Next()
			if err == iterator.Done {
				return
			}
			if err == nil && attrs.Name <= last {
				err = remote.Wrong(fmt.Sprintf("the list has %.100q after %.100q", attrs.Name, last))
			}
			if err != nil {
				yield(storage.Info{}, err)
				return
			}
			last = attrs.Name
			if last <= after || !storage.ValidName(last) {
				continue
			}
			if !yield(info(attrs), nil) {
				return
			}
		}
	}
}

// startOffset is the greatest string that a request may have and that is not
// behind after: its beginning that could begin a name. The list then begins
// with it.
func startOffset(after string) string {
	after = after[:min(len(after), storage.MaxName)]
	for i, c := range []byte(after) {
		if c < ' ' || c > '~' {
			return after[:i]
		}
	}
	return after
}
