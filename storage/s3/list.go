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
	"walarchive/storage/remote"
)

// List asks for a page when the one before was taken.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return remote.List(ctx, prefix, b.list(ctx, prefix, after), b.classify)
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
// of bytes. Names that are none of ours are of others, such as the folders
// that consoles make, and left out. Times are cut to seconds, as Stat's are.
func (b *Bucket) list(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		asked := askable(prefix)
		in := &s3.ListObjectsV2Input{Bucket: &b.o.Bucket, Prefix: &asked, MaxKeys: &b.page, StartAfter: remote.Optional(after)}
		last := after
		for {
			out, err := b.listPage(ctx, in)
			if err != nil {
				yield(storage.Info{}, err)
				return
			}
			for _, o := range out.Contents {
				if *o.Key <= last {
					yield(storage.Info{}, remote.Wrong(fmt.Sprintf("the list has %.100q after %.100q", *o.Key, last)))
					return
				}
				last = *o.Key
				if !strings.HasPrefix(last, prefix) || !storage.ValidName(last) {
					continue
				}
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
		return nil, remote.Wrong("the answer is no list of a bucket")
	case aws.ToBool(out.IsTruncated) && aws.ToString(out.NextContinuationToken) == "":
		return nil, remote.Wrong("the list breaks off and says not where")
	case aws.ToBool(out.IsTruncated) && len(out.Contents) == 0:
		return nil, remote.Wrong("the list goes on without an object")
	}
	for _, o := range out.Contents {
		if o.Key == nil || o.Size == nil || o.LastModified == nil {
			return nil, remote.Wrong("the list has an object without name, size or time")
		}
	}
	return out, nil
}
