package s3

import (
	"context"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"walarchive/storage"
)

// List asks for a page when the one before was taken.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if !beginsName(prefix) {
			return
		}
		for info, err := range b.list(ctx, askable(prefix), after) {
			if err != nil {
				yield(storage.Info{}, b.failure(ctx, "list", prefix, err))
				return
			}
			// Names that are none of ours are of others, such as the folders
			// that consoles make.
			if !strings.HasPrefix(info.Name, prefix) || !storage.ValidName(info.Name) {
				continue
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// beginsName reports whether any name begins with prefix. Not all stores have
// an answer to what can be no name.
func beginsName(prefix string) bool {
	return storage.ValidName(prefix) || storage.ValidName(prefix+"x")
}

// askable is prefix without a last element of dots, which MinIO refuses
// though it begins names such as "..a".
func askable(prefix string) string {
	dir, last := path.Split(prefix)
	if last == "." || last == ".." {
		return dir
	}
	return prefix
}

// list yields what is in the bucket, in the store's order, which must be that
// of bytes. Times are cut to seconds, as Stat's are.
func (b *Bucket) list(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &b.o.Bucket, Prefix: &prefix, MaxKeys: &b.page, StartAfter: optional(after)}
		last := after
		for {
			out, err := b.listPage(ctx, in)
			if err != nil {
				yield(storage.Info{}, err)
				return
			}
			for _, o := range out.Contents {
				if *o.Key <= last {
					yield(storage.Info{}, wrong(fmt.Sprintf("the list has %.100q after %.100q", *o.Key, last)))
					return
				}
				last = *o.Key
				if !yield(storage.Info{Name: last, Size: *o.Size, ModTime: o.LastModified.Truncate(time.Second)}, nil) {
					return
				}
			}
			if !b.more(in, out, last) {
				return
			}
		}
	}
}

// more prepares the request for what comes after a page that ends in last, if
// there can be anything. Absence is concluded from lists that begin somewhere,
// and MinIO ends some of those early (where a/b stands beside a-b): stores
// other than AWS are asked once more, until nothing comes.
func (b *Bucket) more(in *s3.ListObjectsV2Input, out *s3.ListObjectsV2Output, last string) bool {
	in.ContinuationToken = out.NextContinuationToken
	if aws.ToBool(out.IsTruncated) {
		return true
	}
	if in.StartAfter == nil || b.aws || len(out.Contents) == 0 {
		return false
	}
	in.ContinuationToken, in.StartAfter = nil, &last
	return true
}

// listPage is one page, if it is one of this bucket: an empty list counts as
// an answer, and some other document would look like one.
func (b *Bucket) listPage(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	out, err := b.client.ListObjectsV2(ctx, in)
	switch {
	case err != nil:
		return nil, err
	case aws.ToString(out.Name) == "":
		return nil, wrong("the answer is no list of a bucket")
	case aws.ToBool(out.IsTruncated) && aws.ToString(out.NextContinuationToken) == "":
		return nil, wrong("the list breaks off and says not where")
	case aws.ToBool(out.IsTruncated) && len(out.Contents) == 0:
		return nil, wrong("the list goes on without an object")
	}
	for _, o := range out.Contents {
		if o.Key == nil || o.Size == nil || o.LastModified == nil {
			return nil, wrong("the list has an object without name, size or time")
		}
	}
	return out, nil
}
