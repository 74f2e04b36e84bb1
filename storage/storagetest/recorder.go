package storagetest

import (
	"context"
	"io"
	"iter"
	"slices"
	"sync"

	"walarchive/storage"
)

// Call is one call of a bucket's method. Op is put, get, stat, list or delete;
// the Name of a list is its prefix.
type Call struct{ Op, Name string }

// Recorder notes the calls that reach Bucket. A list is noted when it is
// ranged over, not when it is made.
type Recorder struct {
	Bucket storage.Bucket

	mu    sync.Mutex
	calls []Call
}

var _ storage.Bucket = (*Recorder)(nil)

// Calls are the calls so far, in the order in which they began.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Count is how many calls of op there were.
func (r *Recorder) Count(op string) int {
	n := 0
	for _, c := range r.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

// Reset forgets the calls so far.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

func (r *Recorder) note(op, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, Call{op, name})
}

func (r *Recorder) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	r.note("put", name)
	return r.Bucket.Put(ctx, name, body)
}

func (r *Recorder) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r.note("get", name)
	return r.Bucket.Get(ctx, name, off, n)
}

func (r *Recorder) Stat(ctx context.Context, name string) (storage.Info, error) {
	r.note("stat", name)
	return r.Bucket.Stat(ctx, name)
}

func (r *Recorder) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		r.note("list", prefix)
		r.Bucket.List(ctx, prefix, after)(yield)
	}
}

func (r *Recorder) Delete(ctx context.Context, name string) error {
	r.note("delete", name)
	return r.Bucket.Delete(ctx, name)
}
