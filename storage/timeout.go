package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// Limits bound how long the store may be silent; 0 is no bound. The time that
// the caller takes between two pieces of a stream does not count for the
// first two.
type Limits struct {
	Answer   time.Duration // until Get is open, Stat or Delete done, List at its first object
	Progress time.Duration // between pieces: of a Put's or Get's body, of a List
	Total    time.Duration // a whole call, streams included to their ends
}

// maxCalls is how many calls may be in the store at once, hung ones included.
const maxCalls = 128

// WithTimeout ends calls of b with ErrUnavailable when the store is silent for
// longer than the limits say, and all calls soon after their context ends,
// even if b does not return: a system call on a share whose server is gone may
// hang for ever. Such a call is left behind with its goroutine, and perhaps a
// thread and an open file. No more than 128 are: then calls wait for one of
// them to return, within the limits.
//
// What was left behind may still take effect, as with any lost answer. But it
// does not touch a Put's body any more, and a body that Get opens too late is
// closed. The time in which a Put's body hangs in its own Read is not bounded.
func WithTimeout(b Bucket, l Limits) Bucket {
	return &timeout{b, l, make(chan struct{}, maxCalls)}
}

type timeout struct {
	next   Bucket
	limits Limits
	calls  chan struct{} // holds one for each call in the store
}

var _ Bucket = (*timeout)(nil)

func (t *timeout) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	w := t.watch(ctx, "put", name)
	defer w.end()
	lent := &lentBody{watch: w, body: body, size: BodySize(body)}
	defer lent.takeBack()
	_, err := await(w, t.limits.Progress, func() (struct{}, error) {
		return struct{}{}, t.next.Put(w.ctx, name, lent)
	}, nil)
	return err
}

func (t *timeout) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	w := t.watch(ctx, "get", name)
	body, err := await(w, t.limits.Answer, func() (io.ReadCloser, error) {
		return t.next.Get(w.ctx, name, off, n)
	}, closeBody)
	if err != nil {
		w.end()
		return nil, err
	}
	return newTimedBody(w, body, n), nil
}

func (t *timeout) Stat(ctx context.Context, name string) (Info, error) {
	w := t.watch(ctx, "stat", name)
	defer w.end()
	return await(w, t.limits.Answer, func() (Info, error) { return t.next.Stat(w.ctx, name) }, nil)
}

func (t *timeout) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		w := t.watch(ctx, "list", prefix)
		defer w.end()
		l := pull(w, t.next.List(w.ctx, prefix, after))
		defer l.stop()
		for limit := t.limits.Answer; ; limit = t.limits.Progress {
			next, err := await(w, limit, l.next, func(pulledInfo) { l.end() })
			if err == nil && !next.ok {
				return
			}
			if !yield(next.info, err) || err != nil {
				return
			}
		}
	}
}

func (t *timeout) Delete(ctx context.Context, name string) error {
	w := t.watch(ctx, "delete", name)
	defer w.end()
	_, err := await(w, t.limits.Answer, func() (struct{}, error) {
		return struct{}{}, t.next.Delete(w.ctx, name)
	}, nil)
	return err
}
