package mirror

import (
	"context"
	"io"
	"iter"

	"walarchive/storage"
)

// Unopened stands for a store that could not be opened: all calls of it fail
// with err, and the other stores do what they can.
func Unopened(err error) storage.Bucket { return unopened{err} }

type unopened struct{ err error }

func (u unopened) Put(_ context.Context, name string, _ io.ReadSeeker) error {
	return u.failure("put", name)
}

func (u unopened) Get(_ context.Context, name string, _, _ int64) (io.ReadCloser, error) {
	return nil, u.failure("get", name)
}

func (u unopened) Stat(_ context.Context, name string) (storage.Info, error) {
	return storage.Info{}, u.failure("stat", name)
}

func (u unopened) List(_ context.Context, prefix, _ string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) { yield(storage.Info{}, u.failure("list", prefix)) }
}

func (u unopened) Delete(_ context.Context, name string) error { return u.failure("delete", name) }

func (u unopened) failure(op, name string) error {
	return &storage.Error{Op: op, Name: name, Err: u.err}
}
