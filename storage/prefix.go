package storage

import (
	"context"
	"io"
	"iter"
	"strings"
)

// WithPrefix is the part of b in the folder prefix, with or without its slash
// at the end; names in it go without the prefix. Errors name objects as b does.
func WithPrefix(b Bucket, prefix string) Bucket {
	if prefix == "" {
		return b
	}
	return &prefixed{b, strings.TrimSuffix(prefix, "/") + "/"}
}

type prefixed struct {
	next   Bucket
	prefix string // ends in a slash
}

var _ Bucket = (*prefixed)(nil)

func (p *prefixed) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	return p.next.Put(ctx, p.prefix+name, body)
}

func (p *prefixed) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	return p.next.Get(ctx, p.prefix+name, off, n)
}

func (p *prefixed) Stat(ctx context.Context, name string) (Info, error) {
	info, err := p.next.Stat(ctx, p.prefix+name)
	info.Name = strings.TrimPrefix(info.Name, p.prefix)
	return info, err
}

func (p *prefixed) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	if after != "" {
		after = p.prefix + after
	}
	return func(yield func(Info, error) bool) {
		for info, err := range p.next.List(ctx, p.prefix+prefix, after) {
			info.Name = strings.TrimPrefix(info.Name, p.prefix)
			if !yield(info, err) {
				return
			}
		}
	}
}

func (p *prefixed) Delete(ctx context.Context, name string) error {
	return p.next.Delete(ctx, p.prefix+name)
}
