package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"walarchive/storage"
)

var errDirectory = storage.Classify(errors.New("the name is taken by a directory"), storage.ErrInvalid, "")

// absent reports whether the system said that there is no such file: nothing
// under the name, or a file where the name wants a directory.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// regular is nil for files. A directory is no object, so the name is free to
// readers; what else there may be was not put there by us.
func regular(info fs.FileInfo) error {
	switch {
	case info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return storage.ErrNotExist
	}
	return fmt.Errorf("is not a regular file but %v", info.Mode().Type())
}

// failure is what an operation returns: err with its kind and a hint.
func (b *Bucket) failure(op, name string, err error) error {
	return &storage.Error{Op: op, Name: name, Err: b.classify(bare(err))}
}

func (b *Bucket) classify(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case is(err, syscall.ENOSPC, syscall.EDQUOT):
		return storage.Classify(err, storage.ErrFull, "enlarge or clear the file system of "+b.dir)
	case is(err, syscall.ENOTDIR):
		return storage.Classify(errors.New("one of its directories is an object"), storage.ErrInvalid, "")
	case is(err, syscall.ENAMETOOLONG):
		return storage.Classify(err, storage.ErrInvalid, "the file system of "+b.dir+" takes shorter names only")
	case is(err, syscall.EROFS):
		return storage.Classify(err, storage.ErrPermission, "the file system of "+b.dir+" is mounted read-only")
	case is(err, syscall.EACCES, syscall.EPERM):
		return storage.Classify(err, storage.ErrPermission,
			fmt.Sprintf("look at owners and modes below %s; this is user %d", b.dir, os.Geteuid()))
	case is(err, syscall.ESTALE, syscall.ENODEV, syscall.ENOTCONN, syscall.EHOSTDOWN, syscall.ETIMEDOUT):
		return storage.Classify(err, storage.ErrUnavailable, "is the share at "+b.dir+" mounted and its server up?")
	}
	return err
}

// rootError is why the root itself cannot be opened. It never wraps ENOENT.
func rootError(dir string, err error) error {
	err = fmt.Errorf("directory %s: %w", dir, bare(err))
	if errors.Is(err, fs.ErrPermission) {
		return storage.Classify(err, storage.ErrPermission,
			fmt.Sprintf("may user %d enter it and all directories above?", os.Geteuid()))
	}
	return storage.Classify(err, storage.ErrUnavailable,
		"is its file system mounted? A new store's directory must be created first")
}

// bare takes the path off a system call's error: our names say it better.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

func is(err error, numbers ...syscall.Errno) bool {
	for _, n := range numbers {
		if errors.Is(err, n) {
			return true
		}
	}
	return false
}
