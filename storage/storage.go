package storage

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"time"
)

// The kinds of failure that callers decide by. They are shared with io/fs so
// that errors.Is works across packages.
var (
	ErrNotExist   = fs.ErrNotExist   // the store said that the object is not there
	ErrExist      = fs.ErrExist      // the name is taken
	ErrPermission = fs.ErrPermission // the store said no
)

// Info describes a stored object.
type Info struct {
	Name    string
	Size    int64     // bytes
	ModTime time.Time // when the store took it
}

// A Bucket holds named objects that never change once written. Names are
// paths: elements of [A-Za-z0-9._-] joined by single slashes.
//
// All methods may be called concurrently and stop early when ctx ends.
type Bucket interface {
	// Put stores body, whole and durable or not at all. A taken name gives
	// ErrExist, and of several writers at once exactly one succeeds. A failed
	// Put may be repeated: Put itself rewinds body to its start first. A body
	// whose length is known has a method Size() int64.
	Put(ctx context.Context, name string, body io.ReadSeeker) error

	// Get opens n bytes of an object from offset off; n < 0 means to its end,
	// and an object that ends earlier gives fewer. The caller closes it. A
	// missing object gives ErrNotExist only when the store said so.
	Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)

	// Stat describes an object; a missing one gives ErrNotExist.
	Stat(ctx context.Context, name string) (Info, error)

	// List yields the objects whose names begin with prefix and come after
	// the name after ("" for all), in byte order of their names. It stops at
	// the first error.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes an object. One already gone is no error, so repeating
	// is safe.
	Delete(ctx context.Context, name string) error
}
