package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"walarchive/storage"
)

const (
	fileMode = 0o640
	dirMode  = 0o750

	copyBuffer = 256 << 10 // bytes between two looks at the context
)

// Put stores an object. See the package comment for how.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	if err := storage.CheckName("put", name); err != nil {
		return err
	}
	err := b.put(ctx, name, body)
	var fromBody *bodyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fromBody):
		return &storage.Error{Op: "put", Name: name, Err: err}
	case errors.Is(err, fs.ErrNotExist): // a directory or file of ours was taken away
		err = storage.Classify(bare(err), storage.ErrUnavailable, "does something else clear up in "+b.dir+"?")
	}
	return b.failure("put", name, err)
}

func (b *Bucket) put(ctx context.Context, name string, body io.ReadSeeker) error {
	root, err := b.root(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := b.makeDir(root, path.Dir(name)); err != nil {
		return err
	}
	b.step("directories")
	dir, err := openDir(root, path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	sweep(dir)
	return b.putIn(ctx, dir, path.Base(name), body)
}

// putIn stores body as file name in dir. When the name turns out to be taken,
// the directory is synced all the same: the writer that took it may have died
// before it could.
func (b *Bucket) putIn(ctx context.Context, dir *os.Root, name string, body io.ReadSeeker) error {
	err := taken(dir, name)
	if err == nil {
		err = b.writeNew(ctx, dir, name, body)
	}
	b.step("cleared")
	if err == nil || errors.Is(err, storage.ErrExist) {
		if e := b.sync(dir, "."); e != nil {
			return e
		}
	}
	return err
}

// writeNew gives body the name once it is complete and synced.
func (b *Bucket) writeNew(ctx context.Context, dir *os.Root, name string, body io.ReadSeeker) error {
	t, err := createTemp(dir)
	if err != nil {
		return err
	}
	defer t.remove()
	b.step("created")
	if err := write(ctx, t.File, body); err != nil {
		return err
	}
	b.step("written")
	if err := t.Sync(); err != nil {
		return err
	}
	b.step("synced")
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.publish(name); err != nil {
		return err
	}
	b.step("linked")
	return nil
}

// write copies body, from its start, into f.
func write(ctx context.Context, f *os.File, body io.ReadSeeker) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return &bodyError{err}
	}
	// Bare Writer and Reader: the shortcuts between files would not look at ctx.
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, reader{ctx, source{body}}, make([]byte, copyBuffer))
	if err != nil {
		return err
	}
	return storage.CheckSize(body, n)
}

// taken gives ErrExist if name is there already, before anything is written.
func taken(dir *os.Root, name string) error {
	info, err := dir.Lstat(name)
	switch {
	case absent(err):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return errDirectory
	}
	return storage.ErrExist
}

// A bodyError is an error of a Put's body and says nothing about the store.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read what is to be stored: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// source marks its body's errors.
type source struct{ body io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}
