package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	"walarchive/storage"
)

// Get opens a range of an object.
func (b *Bucket) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := storage.CheckName("get", name); err != nil {
		return nil, err
	}
	f, err := b.open(ctx, name, off)
	if err != nil {
		return nil, b.failure("get", name, err)
	}
	if n < 0 {
		n = math.MaxInt64 - off
	}
	return &object{reader{ctx, io.NewSectionReader(f, off, n)}, f, b, name}, nil
}

func (b *Bucket) open(ctx context.Context, name string, off int64) (*os.File, error) {
	if off < 0 {
		return nil, storage.Classify(fmt.Errorf("offset %d", off), storage.ErrInvalid, "")
	}
	root, err := b.root(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Somebody else's named pipe would block without O_NONBLOCK.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, b.missing(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// An object is the opened range of a file.
type object struct {
	reader
	file   *os.File
	bucket *Bucket
	name   string
}

func (o *object) Read(p []byte) (int, error) {
	n, err := o.reader.Read(p)
	if err != nil && err != io.EOF {
		err = o.bucket.failure("get", o.name, err)
	}
	return n, err
}

func (o *object) Close() error { return o.file.Close() }

// A reader reads until its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
