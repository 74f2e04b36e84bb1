package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"walarchive/storage"
)

// leeway is how long mirrors beyond the quorum are waited for at least. One
// that is as slow as those that were needed must not be left out each time.
const leeway = 2 * time.Second

// Put stores body in the first store and copies what that has then to the
// mirrors. A taken name gives ErrExist as the first store says it, if by then
// the object that holds the name is in enough stores; ErrQuorum if an object,
// this or the other, is not.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	begin := time.Now()
	err := b.first().Put(ctx, name, body)
	if err != nil && !errors.Is(err, storage.ErrExist) {
		return err
	}
	b.found()
	c := &spread{Bucket: b, name: name, begin: begin, taken: err != nil}
	if memory, ok := body.(memory); ok && !c.taken {
		c.body = memory
	}
	if err := c.run(ctx); err != nil {
		return &storage.Error{Op: "put", Name: name, Err: err}
	}
	return err
}

// memory is a body that is in memory, so that all mirrors can read it at once.
type memory interface {
	io.ReaderAt
	Size() int64
}

// spread is one object of the first store on its way to the mirrors.
type spread struct {
	*Bucket
	name  string
	begin time.Time // of the Put
	taken bool      // the name was, and mirrors will mostly have the object
	body  memory    // its bytes; nil: they are read from the first store
}

// outcome is what came of one mirror.
type outcome struct {
	store Store
	err   error
}

// run copies to all mirrors at once. When enough have the object, the others
// get as much time again as it took so far, and no more than a warning.
func (c *spread) run(ctx context.Context) error {
	copying, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan outcome, len(c.mirrors()))
	for _, m := range c.mirrors() {
		go func() { done <- outcome{m, c.copyTo(copying, m.Bucket)} }()
	}
	have := 1
	var failed []outcome
	var patience <-chan time.Time
	for rest := len(c.mirrors()); rest > 0; {
		if have >= c.quorum && patience == nil {
			patience = time.After(max(leeway, time.Since(c.begin)))
		}
		select {
		case o := <-done:
			rest--
			if o.err == nil {
				have++
				continue
			}
			if copying.Err() != nil && ctx.Err() == nil {
				o.err = fmt.Errorf("not there %v after the push began", time.Since(c.begin).Round(time.Millisecond))
			}
			failed = append(failed, o)
		case <-patience:
			stop()
		}
	}
	if have < c.quorum {
		return c.missed(ctx, have, failed)
	}
	for _, f := range failed {
		c.log.Warn("a mirror does not have the object; walarchive mirror copies it", "store", f.store.Name, "name", c.name, "error", f.err)
	}
	return nil
}

// copyTo brings the object to a mirror. One that is there already must be the
// same.
func (c *spread) copyTo(ctx context.Context, m storage.Bucket) error {
	if c.taken {
		_, err := m.Stat(ctx, c.name)
		if err == nil {
			return Same(ctx, c.first(), m, c.name)
		}
		if !errors.Is(err, storage.ErrNotExist) {
			return err
		}
	}
	err := c.copyBytes(ctx, m)
	if errors.Is(err, storage.ErrExist) {
		return Same(ctx, c.first(), m, c.name)
	}
	return err
}

func (c *spread) copyBytes(ctx context.Context, m storage.Bucket) error {
	if c.body == nil {
		return storage.Copy(ctx, c.first(), c.name, m, c.name)
	}
	return m.Put(ctx, c.name, io.NewSectionReader(c.body, 0, c.body.Size()))
}

// missed says which stores do not have the object, and why.
func (c *spread) missed(ctx context.Context, have int, failed []outcome) error {
	var why []string
	hint := ""
	for _, f := range failed {
		why = append(why, fmt.Sprintf("%s: %v", f.store.Name, f.err))
		if h := hintOf(f.err); hint == "" {
			hint = h
		}
		if errors.Is(f.err, ErrDiffers) {
			hint = "walarchive verify names such objects; walarchive repair " + c.name + " sets the mirror's aside and copies the first store's"
		}
	}
	err := storage.Classify(
		fmt.Errorf("in %d of %d stores, %d are needed: %s", have, len(c.stores), c.quorum, strings.Join(why, "; ")),
		ErrQuorum, hint)
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// endSize is how many bytes Same compares at each end of an object.
const endSize = 64 << 10

// Same reports whether two stores have the same object under a name: nil, or
// ErrDiffers. It compares size, first and last 64 KiB. That tells all objects
// apart that were sealed apart; bytes that rotted in the middle are for those
// to find who read all of them.
func Same(ctx context.Context, a, b storage.Bucket, name string) error {
	x, err := a.Stat(ctx, name)
	if err != nil {
		return err
	}
	y, err := b.Stat(ctx, name)
	if err != nil {
		return err
	}
	if x.Size != y.Size {
		return fmt.Errorf("%w: %d instead of %d", ErrDiffers, y.Size, x.Size)
	}
	for _, off := range []int64{0, max(endSize, x.Size-endSize)} {
		p, err := read(ctx, a, name, off)
		if err != nil {
			return err
		}
		q, err := read(ctx, b, name, off)
		if err != nil {
			return err
		}
		if !bytes.Equal(p, q) {
			return ErrDiffers
		}
	}
	return nil
}

// read reads the bytes of one end of an object, from off.
func read(ctx context.Context, b storage.Bucket, name string, off int64) ([]byte, error) {
	r, err := b.Get(ctx, name, off, endSize)
	if err != nil {
		return nil, err
	}
	p, err := io.ReadAll(io.LimitReader(r, endSize))
	return p, errors.Join(err, r.Close())
}
