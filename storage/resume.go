package storage

import (
	"context"
	"errors"
	"io"
)

// resumed is a Get's body that opens the rest of the object when one breaks.
type resumed struct {
	next   Bucket
	ctx    context.Context
	tries  *tries
	off, n int64         // what is still to be read; n < 0: to the end
	body   io.ReadCloser // nil if it broke and could not be replaced
	broke  error         // of body
	err    error         // of Read, from now on
}

// open opens the rest.
func (b *resumed) open() error {
	for {
		body, err := b.next.Get(b.ctx, b.tries.name, b.off, b.n)
		if err == nil {
			b.body = body
			return nil
		}
		if err = b.tries.again(b.ctx, err); err != nil {
			return err
		}
	}
}

func (b *resumed) Read(p []byte) (int, error) {
	for b.err == nil {
		if b.broke != nil {
			if b.err = b.reopen(); b.err != nil {
				break
			}
		}
		n, err := b.body.Read(p)
		b.advance(int64(n))
		if err == nil || err == io.EOF {
			return n, err
		}
		b.broke = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

func (b *resumed) advance(n int64) {
	if n == 0 {
		return
	}
	b.tries.progress()
	b.off += n
	if b.n > 0 {
		b.n -= n
	}
}

// reopen replaces the broken body. An object that is gone meanwhile breaks the
// read; it is not missing, for the caller has some of it.
func (b *resumed) reopen() error {
	if err := b.tries.again(b.ctx, b.broke); err != nil {
		return err
	}
	_ = b.body.Close() // it broke: closing it tells nothing more
	b.body, b.broke = nil, nil
	err := b.open()
	if errors.Is(err, ErrNotExist) {
		return &Error{"get", b.tries.name, errors.New("the object was deleted while it was read")}
	}
	return err
}

func (b *resumed) Close() error {
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}
