package storage

import (
	"cmp"
	"context"
	"io"
	"iter"
	"log/slog"
	"time"
)

// WithRetry repeats calls of b that fail, unless the error is Permanent or
// that of a Put's body. A Get's body goes on where it broke, and a List behind the last object that it
// yielded; what they had delivered until then counts as progress and starts
// the policy anew. A nil log is silent.
//
// A Put whose answer was lost finds its own object at the next try and returns
// ErrExist: whether the object is the caller's only the caller can tell.
func WithRetry(b Bucket, p Policy, log *slog.Logger) Bucket {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p.Base = cmp.Or(p.Base, 100*time.Millisecond)
	p.Max = cmp.Or(p.Max, 10*time.Second)
	p.Budget = cmp.Or(p.Budget, time.Minute)
	return &retry{b, p, log}
}

type retry struct {
	next   Bucket
	policy Policy
	log    *slog.Logger
}

var _ Bucket = (*retry)(nil)

func (r *retry) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	noted := &notedBody{body: body}
	t := r.tries("put", name)
	for {
		err := r.next.Put(ctx, name, noted)
		if err == nil || noted.failed {
			return err
		}
		if err = t.again(ctx, err); err != nil {
			return err
		}
	}
}

func (r *retry) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b := &resumed{next: r.next, ctx: ctx, tries: r.tries("get", name), off: off, n: n}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

func (r *retry) Stat(ctx context.Context, name string) (info Info, err error) {
	err = r.do(ctx, "stat", name, func() error {
		info, err = r.next.Stat(ctx, name)
		return err
	})
	return info, err
}

func (r *retry) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		t := r.tries("list", prefix)
		last := after
		for {
			err := r.listFrom(ctx, prefix, &last, t, yield)
			if err == nil {
				return
			}
			if err = t.again(ctx, err); err != nil {
				yield(Info{}, err)
				return
			}
		}
	}
}

// listFrom yields what comes after *last and keeps *last up to date. It
// returns nil at the end of the list or when the caller wants no more.
func (r *retry) listFrom(ctx context.Context, prefix string, last *string, t *tries, yield func(Info, error) bool) error {
	for info, err := range r.next.List(ctx, prefix, *last) {
		if err != nil {
			return err
		}
		*last = info.Name
		t.progress()
		if !yield(info, nil) {
			return nil
		}
	}
	return nil
}

func (r *retry) Delete(ctx context.Context, name string) error {
	return r.do(ctx, "delete", name, func() error { return r.next.Delete(ctx, name) })
}

func (r *retry) do(ctx context.Context, op, name string, call func() error) error {
	t := r.tries(op, name)
	for {
		err := call()
		if err == nil {
			return nil
		}
		if err = t.again(ctx, err); err != nil {
			return err
		}
	}
}
