// Package limit keeps the calls of a bucket to a rate: requests a second, for
// a store that answers more of them with 503, and bytes a second, so that work
// in bulk leaves the line to what cannot wait. It stands above what bounds the
// silence of a store, and below what repeats calls: each try counts, and the
// time that a call is held back does not count as silence.
package limit

import (
	"context"
	"fmt"
	"io"
	"iter"

	"golang.org/x/time/rate"

	"walarchive/storage"
)

// Requests lets at most perSecond calls of b begin in a second, on average;
// those of a second may come at once. A List counts once for every 1000
// objects, as many as a store puts into one answer. The parts of a large object
// are not counted: of these a backend has few on their way. perSecond 0 is no
// bound.
func Requests(b storage.Bucket, perSecond int) storage.Bucket {
	if perSecond <= 0 {
		return b
	}
	return &requests{b, rate.NewLimiter(rate.Limit(perSecond), perSecond)}
}

type requests struct {
	next    storage.Bucket
	limiter *rate.Limiter
}

var _ storage.Bucket = (*requests)(nil)

// wait waits for the turn of a call.
func (r *requests) wait(ctx context.Context, op, name string) error {
	err := r.limiter.Wait(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	default: // it would come after the deadline
		err = storage.Classify(fmt.Errorf("more requests than %v a second: %w", r.limiter.Limit(), err), context.DeadlineExceeded,
			"storage.request_rate is too low for what is asked for")
	}
	return &storage.Error{Op: op, Name: name, Err: err}
}

func (r *requests) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	if err := r.wait(ctx, "put", name); err != nil {
		return err
	}
	return r.next.Put(ctx, name, body)
}

func (r *requests) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := r.wait(ctx, "get", name); err != nil {
		return nil, err
	}
	return r.next.Get(ctx, name, off, n)
}

func (r *requests) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := r.wait(ctx, "stat", name); err != nil {
		return storage.Info{}, err
	}
	return r.next.Stat(ctx, name)
}

// page is how many objects stores list in one answer.
const page = 1000

func (r *requests) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		n := 0
		if err := r.wait(ctx, "list", prefix); err != nil {
			yield(storage.Info{}, err)
			return
		}
		for info, err := range r.next.List(ctx, prefix, after) {
			if n++; err == nil && n%page == 0 {
				err = r.wait(ctx, "list", prefix)
			}
			if err != nil {
				info = storage.Info{}
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

func (r *requests) Delete(ctx context.Context, name string) error {
	if err := r.wait(ctx, "delete", name); err != nil {
		return err
	}
	return r.next.Delete(ctx, name)
}
