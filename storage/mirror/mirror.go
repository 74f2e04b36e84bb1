// Package mirror keeps the same objects in several stores: a first one, which
// decides, and mirrors of it, each of which alone suffices when the first is
// lost. It stands above what bounds and repeats the calls of each store:
//
//	mirror.New([]mirror.Store{
//		{"s3://here", storage.WithRetry(storage.WithTimeout(here, limits), policy, log)},
//		{"gs://there", storage.WithRetry(storage.WithTimeout(there, limits), policy, log)},
//	}, mirror.Options{})
//
// A Put goes to the first, create-only, and that alone decides who wins a name.
// Then the winner's bytes, whoever wrote them, are copied to the mirrors,
// create-only too. The loser of a race and a repeated Put do the same, so that
// whoever comes next completes what a killed writer left half done. Put
// succeeds when as many stores as the quorum says have the object.
//
// Get and Stat ask a mirror when the first store does not answer, or has lost
// the object. But only the first can say that an object does not exist: a
// mirror may not have been reached when it was written. For the same reason a
// List that a mirror had to answer ends with ErrIncomplete.
//
// Delete removes an object from the mirrors and from the first last, so that
// one that was interrupted is still listed, and is done again.
package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"walarchive/storage"
)

// The kinds of failure that callers decide by.
var (
	// ErrQuorum: the object is not in as many stores as it must be. It may be
	// in the first, and a repeated Put completes it.
	ErrQuorum = errors.New("not in enough stores")
	// ErrDiffers: a mirror has another object under the name.
	ErrDiffers = errors.New("other bytes than in the first store")
	// ErrIncomplete ends a List that a mirror had to answer.
	ErrIncomplete = errors.New("only a mirror could be listed, which may lack what the first store has")
)

// A Store is one of the places where the objects lie.
type Store struct {
	Name   string // for people: its URL
	Bucket storage.Bucket
}

// Options are a Bucket's settings. The zero value is good.
type Options struct {
	// Quorum is in how many stores an object must be when Put succeeds, the
	// first among them; 0 is in all.
	Quorum int
	Log    *slog.Logger // nil discards
}

// A Bucket is a first store and its mirrors.
type Bucket struct {
	stores []Store // the first decides
	quorum int
	log    *slog.Logger
	once   *Bucket              // the same without repetition; nil: this is it. See Repeated
	reads  storage.Bucket       // once, with Get and Stat repeated
	lost   atomic.Pointer[loss] // of the first; nil while it answers
}

var _ storage.Bucket = (*Bucket)(nil)

// New joins stores, of which the first decides. There is at least one.
func New(stores []Store, o Options) *Bucket {
	b := &Bucket{stores: stores, quorum: min(cmp.Or(o.Quorum, len(stores)), len(stores)), log: o.Log}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	return b
}

// Stores are the stores, the first of them first.
func (b *Bucket) Stores() []Store { return b.stores }

// StoresOf are the stores of the Bucket that b is, or stands above; none if
// there is none. What stands above a Bucket and does not hide it has a method
// Unwrap.
func StoresOf(b storage.Bucket) []Store {
	for {
		switch above := b.(type) {
		case *Bucket:
			return above.Stores()
		case interface{ Unwrap() storage.Bucket }:
			b = above.Unwrap()
		default:
			return nil
		}
	}
}

func (b *Bucket) first() storage.Bucket { return b.stores[0].Bucket }
func (b *Bucket) mirrors() []Store      { return b.stores[1:] }

// Delete removes the object from all stores.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	var failed []error
	for _, m := range b.mirrors() {
		if err := m.Bucket.Delete(ctx, name); err != nil {
			failed = append(failed, fmt.Errorf("mirror %s: %w", m.Name, err))
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	return b.first().Delete(ctx, name)
}

// lossLasts is how long a first store that was out of reach is asked last: a
// call that needs many objects would otherwise wait for it once for each.
const lossLasts = 30 * time.Second

// A loss of the first store.
type loss struct {
	cause error
	since time.Time
}

// lose notes that the first store gave no answer, and says so once.
func (b *Bucket) lose(cause error) {
	if b.lost.Swap(&loss{cause, time.Now()}) == nil {
		b.log.Warn("the first store gives no answer: asking its mirrors", "store", b.stores[0].Name, "error", cause)
	}
}

// found forgets a loss.
func (b *Bucket) found() { b.lost.Store(nil) }

// away is the reason why the first store is to be asked last, nil if it is not.
func (b *Bucket) away() error {
	if l := b.lost.Load(); l != nil && time.Since(l.since) < lossLasts {
		return l.cause
	}
	return nil
}

// Repeated is b with calls repeated as repeat does it, which is
// storage.WithRetry with its policy. A Put repeats for each store what fails
// there. What reads repeats only when all stores have failed: as long as a
// mirror answers, nobody waits for the first one.
func (b *Bucket) Repeated(repeat func(storage.Bucket) storage.Bucket) *Bucket {
	var stores []Store
	for _, s := range b.stores {
		if _, gone := s.Bucket.(unopened); !gone {
			s.Bucket = repeat(s.Bucket)
		}
		stores = append(stores, s)
	}
	r := New(stores, Options{Quorum: b.quorum, Log: b.log})
	r.once, r.reads = b, repeat(b)
	return r
}
