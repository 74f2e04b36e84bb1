// Package storage is the seam to the places where archives lie: directories
// and object stores. It knows names and bytes, and nothing of what they mean.
//
// A backend implements the five methods of Bucket and passes the suite in
// storage/storagetest; storage/all lists the backends. What every backend
// would do alike stands here once: decorators that add a prefix (WithPrefix),
// time limits (WithTimeout) and repetition (WithRetry) to any bucket, and
// plain functions such as ReadAll. Stacked as
//
//	WithPrefix(WithRetry(WithTimeout(raw, limits), policy, log), "cluster/")
//
// each try has its own time limits and one layer alone repeats.
package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// Info describes a stored object.
type Info struct {
	Name    string
	Size    int64     // bytes
	ModTime time.Time // when the store took it, by the store's clock
}

// A Bucket holds named objects that never change once written. Names satisfy
// ValidName; any other name gives ErrInvalid. No object's name may be another
// object's name and a slash, as in a and a/b: file systems cannot hold both.
//
// All methods may be called concurrently. They stop early when ctx ends, with
// an error that wraps ctx.Err(). Errors are of type *Error and wrap one of the
// kinds in this package where the store was clear; see Permanent.
type Bucket interface {
	// Put stores body, whole and durable or not at all: nil means that the
	// object survives a crash of everything but the store itself. A taken
	// name gives ErrExist, and then the object that holds the name is
	// durable, too. Of several writers at once exactly one succeeds.
	//
	// Put itself rewinds body to its start first, so a failed Put may be
	// repeated, and reads it only until it returns. It asks for no other Seek. After an error other than
	// ErrExist the object may be there all the same, whole, if the answer was
	// lost on its way. A body of known size (BodySize) that turns out to have
	// another gives ErrInvalid and is not stored. An error of body itself comes
	// back wrapped.
	Put(ctx context.Context, name string, body io.ReadSeeker) error

	// Get opens n bytes of an object from offset off; n < 0 means to its end.
	// Where the object ends earlier there are fewer, down to none. A negative
	// off gives ErrInvalid. A missing object gives ErrNotExist, here and never
	// from Read, and only when the store itself said so: a store that is gone
	// or mute gives ErrUnavailable or an error of no kind.
	//
	// The caller closes the reader, from which one goroutine at a time reads.
	// It stops when ctx ends.
	Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)

	// Stat describes an object. A missing one gives ErrNotExist as with Get.
	Stat(ctx context.Context, name string) (Info, error)

	// List yields the objects whose names begin with prefix and come after
	// the name after ("" for all), in byte order of their whole names. Neither
	// needs to be a name. An object written or deleted meanwhile may be there
	// or not; every other one is there once. An error is yielded last, with an
	// empty Info; that nothing is listed says so only without one.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes an object. One already gone is no error, so repeating
	// is safe.
	Delete(ctx context.Context, name string) error
}
