package mirror

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"walarchive/storage"
)

// absentPatience is how long mirrors have in all to show an object that the
// first store does not have. Absence is the common case: servers ask for what
// comes next every few seconds, and must not wait for a mirror that is away.
const absentPatience = 2 * time.Second

// A Reader is what Get opens.
type Reader struct {
	io.ReadCloser
	Store string // where it comes from
	Cause error  // why not from the first store; nil if it does
}

// Get opens an object, as a *Reader unless calls are Repeated.
func (b *Bucket) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if b.reads != nil {
		return b.reads.Get(ctx, name, off, n)
	}
	ctx, cancel := context.WithCancel(ctx)
	r, from, err := ask(ctx, cancel, b, func(s storage.Bucket) (io.ReadCloser, error) {
		return s.Get(ctx, name, off, n)
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return &Reader{ending{r, cancel}, from.store, from.cause}, nil
}

// ending ends the context of a body with it.
type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

func (e ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// Stat describes an object.
func (b *Bucket) Stat(ctx context.Context, name string) (storage.Info, error) {
	if b.reads != nil {
		return b.reads.Stat(ctx, name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	info, _, err := ask(ctx, cancel, b, func(s storage.Bucket) (storage.Info, error) {
		return s.Stat(ctx, name)
	})
	return info, err
}

// origin is the store that an answer came from.
type origin struct {
	store string
	cause error // why not from the first
}

// ask asks the first store and then, if it does not have the object or gives
// no answer, its mirrors. Whatever they say, an error is the first's own. call
// works under ctx, which cancel ends.
func ask[T any](ctx context.Context, cancel context.CancelFunc, b *Bucket, call func(storage.Bucket) (T, error)) (T, origin, error) {
	if cause := b.away(); cause != nil {
		if v, m, ok := askMirrors(b, call); ok {
			return v, origin{m, cause}, nil
		}
	}
	v, err := call(b.first())
	switch {
	case err == nil:
		b.found()
		return v, origin{b.stores[0].Name, nil}, nil
	case ctx.Err() != nil, errors.Is(err, storage.ErrInvalid):
		return v, origin{}, err
	case errors.Is(err, storage.ErrNotExist):
		b.found()
		patience := time.AfterFunc(absentPatience, cancel)
		defer patience.Stop()
	case b.away() != nil:
		return v, origin{}, err // its mirrors were asked before
	case !storage.Permanent(err):
		b.lose(err)
	}
	if v, m, ok := askMirrors(b, call); ok {
		return v, origin{m, err}, nil
	}
	return v, origin{}, err
}

// askMirrors gives the first mirror's answer that is one, and its name.
func askMirrors[T any](b *Bucket, call func(storage.Bucket) (T, error)) (v T, store string, ok bool) {
	for _, m := range b.mirrors() {
		got, err := call(m.Bucket)
		if err == nil {
			return got, m.Name, true
		}
		b.log.Debug("a mirror does not help", "store", m.Name, "error", err)
	}
	return v, "", false
}

// List lists the first store. If that cannot be listed at all, a mirror is, and
// ErrIncomplete comes behind its objects.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	if b.once != nil {
		return b.listRepeated(ctx, prefix, after)
	}
	return func(yield func(storage.Info, error) bool) {
		cause := b.away()
		if cause != nil && b.listMirrors(ctx, prefix, after, cause, yield) {
			return
		}
		l := listing{yield: yield}
		err := l.run(b.first().List(ctx, prefix, after))
		switch {
		case err == nil || l.begun || ctx.Err() != nil || errors.Is(err, storage.ErrInvalid) || cause != nil:
			l.end(err)
		default:
			if !storage.Permanent(err) {
				b.lose(err)
			}
			if !b.listMirrors(ctx, prefix, after, err, yield) {
				l.end(err)
			}
		}
	}
}

// listRepeated repeats a list of the first store that no mirror could stand in
// for.
func (b *Bucket) listRepeated(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		l := listing{yield: yield, last: after}
		err := l.run(b.once.List(ctx, prefix, after))
		if err != nil && !errors.Is(err, ErrIncomplete) && !storage.Permanent(err) {
			err = l.run(b.first().List(ctx, prefix, l.last))
		}
		l.end(err)
	}
}

// listMirrors lists the first mirror that can be; false if none can. cause is
// what kept the first store from it.
func (b *Bucket) listMirrors(ctx context.Context, prefix, after string, cause error, yield func(storage.Info, error) bool) bool {
	for _, m := range b.mirrors() {
		l := listing{yield: yield}
		err := l.run(m.Bucket.List(ctx, prefix, after))
		if err != nil && !l.begun {
			b.log.Debug("a mirror does not help", "store", m.Name, "error", err)
			continue
		}
		if err == nil {
			err = storage.Classify(&incomplete{m.Name, cause}, ErrIncomplete, hintOf(cause))
		}
		l.end(&storage.Error{Op: "list", Name: prefix, Err: err})
		return true
	}
	return false
}

type incomplete struct {
	store string
	cause error // why the first store was not listed
}

func (i *incomplete) Error() string {
	return "mirror " + i.store + ": " + ErrIncomplete.Error() + ": " + i.cause.Error()
}

// listing passes a list on, without its error.
type listing struct {
	yield func(storage.Info, error) bool
	begun bool // something was yielded
	last  string
	over  bool // the caller wants no more
}

func (l *listing) run(list iter.Seq2[storage.Info, error]) error {
	for info, err := range list {
		if err != nil {
			return err
		}
		l.begun, l.last = true, info.Name
		if !l.yield(info, nil) {
			l.over = true
			return nil
		}
	}
	return nil
}

// end yields err, if there is one and somebody who wants it.
func (l *listing) end(err error) {
	if err != nil && !l.over {
		l.yield(storage.Info{}, err)
	}
}
