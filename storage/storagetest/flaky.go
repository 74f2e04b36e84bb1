package storagetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"

	"walarchive/storage"
)

// Flaky is a bucket whose calls fail where Fail says so.
type Flaky struct {
	Bucket storage.Bucket

	// Fail is asked before each call; nil never fails. op is put, get, stat,
	// list or delete, name the object's or the list's prefix, and n counts the
	// calls of this op on this name from 1. What it returns decides: nil lets
	// the call through, one of Lost, Cut, Short, Delay, Block and Hang fails in
	// its way, and any other error is returned in the call's place.
	Fail func(op, name string, n int) error

	mu    sync.Mutex
	calls map[Call]int
}

var _ storage.Bucket = (*Flaky)(nil)

func (f *Flaky) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	fault, err := f.before(ctx, "put", name)
	if err != nil {
		return err
	}
	if fault.cut >= 0 && !fault.quiet {
		body = &cutBody{body, cutReader{body, fault, "put", name, 0}}
	}
	return fault.answer("put", name, f.Bucket.Put(ctx, name, body))
}

func (f *Flaky) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	fault, err := f.before(ctx, "get", name)
	if err != nil {
		return nil, err
	}
	r, err := f.Bucket.Get(ctx, name, off, n)
	if err != nil {
		return nil, fault.answer("get", name, err)
	}
	if fault.lost {
		return nil, errors.Join(fault.answer("get", name, nil), r.Close())
	}
	if fault.cut >= 0 {
		return &cutObject{cutReader{r, fault, "get", name, 0}, r}, nil
	}
	return r, nil
}

func (f *Flaky) Stat(ctx context.Context, name string) (storage.Info, error) {
	fault, err := f.before(ctx, "stat", name)
	if err != nil {
		return storage.Info{}, err
	}
	info, err := f.Bucket.Stat(ctx, name)
	if err = fault.answer("stat", name, err); err != nil {
		return storage.Info{}, err
	}
	return info, nil
}

func (f *Flaky) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		fault, err := f.before(ctx, "list", prefix)
		if err == nil {
			err = fault.answer("list", prefix, nil)
		}
		if err != nil {
			yield(storage.Info{}, err)
			return
		}
		var n int64
		for info, err := range f.Bucket.List(ctx, prefix, after) {
			if n == fault.cut {
				if !fault.quiet {
					yield(storage.Info{}, cutError("list", prefix))
				}
				return
			}
			if n++; !yield(info, err) {
				return
			}
		}
	}
}

func (f *Flaky) Delete(ctx context.Context, name string) error {
	fault, err := f.before(ctx, "delete", name)
	if err != nil {
		return err
	}
	return fault.answer("delete", name, f.Bucket.Delete(ctx, name))
}

// before asks Fail and waits as it says.
func (f *Flaky) before(ctx context.Context, op, name string) (*fault, error) {
	err := f.ask(op, name)
	if err == nil {
		return noFault, nil
	}
	var way *fault
	if !errors.As(err, &way) {
		return nil, &storage.Error{Op: op, Name: name, Err: err}
	}
	if way.wait != nil {
		if err := way.wait(ctx); err != nil {
			return nil, &storage.Error{Op: op, Name: name, Err: err}
		}
	}
	return way, nil
}

func (f *Flaky) ask(op, name string) error {
	if f.Fail == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[Call]int{}
	}
	call := Call{op, name}
	f.calls[call]++
	return f.Fail(op, name, f.calls[call])
}

// cutReader reads until its fault's cut.
type cutReader struct {
	r        io.Reader
	fault    *fault
	op, name string
	read     int64
}

func (c *cutReader) Read(p []byte) (int, error) {
	left := c.fault.cut - c.read
	if left <= 0 {
		return c.end()
	}
	n, err := c.r.Read(p[:min(int64(len(p)), left)])
	c.read += int64(n)
	return n, err
}

// end breaks the stream, unless it was at its end anyway.
func (c *cutReader) end() (int, error) {
	if c.fault.quiet {
		return 0, io.EOF
	}
	if n, err := c.r.Read(make([]byte, 1)); n == 0 {
		return 0, err
	}
	return 0, cutError(c.op, c.name)
}

func cutError(op, name string) error {
	return &storage.Error{Op: op, Name: name, Err: storage.ErrUnavailable}
}

// cutBody is a Put's body with a cut, which moves with Seek to the start.
type cutBody struct {
	body io.ReadSeeker
	cutReader
}

func (c *cutBody) Seek(offset int64, whence int) (int64, error) {
	n, err := c.body.Seek(offset, whence)
	c.read = n
	return n, err
}

func (c *cutBody) Size() int64 { return storage.BodySize(c.body) }

type cutObject struct {
	cutReader
	io.Closer
}
