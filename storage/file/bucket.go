// Package file keeps a bucket in a directory: a local disk or a mounted share.
//
// Object cluster/keys/1 is the file cluster/keys/1 below the root. It appears
// there by link(2), which refuses a taken name on every file system that has
// hard links, after its bytes were written and synced under a temporary name
// in the same directory; then the directory is synced. File systems without
// hard links are served by renameat2(RENAME_NOREPLACE), on Linux.
//
// Files are created with mode 0640 and directories with 0750, both minus the
// umask: owner and mode of the root decide who else may read. Directories are
// never removed, not even empty ones: a Put elsewhere may be about to use them.
//
// Temporary names begin with ".put~", which no object's name can. Who writes
// one holds flock(2) on it; what a killed writer left has no lock and is
// removed by the next Put into its directory. On a share whose locks do not
// reach other hosts (nolock, local_lock) that Put may come from another host
// and take a file that is still being written: the writer then fails, and
// stores nothing.
//
// The root must exist and is never created: a share that is not mounted shall
// not be taken for an empty store. A Bucket is bound to the directory that it
// found when it was opened. If another one stands in its place or none, as
// when a share was unmounted, all calls give storage.ErrUnavailable. What an
// unmounted share leaves to those who open it afterwards, an empty directory,
// only they can tell from a store: by an object that must be there.
//
// Symbolic links are followed inside the root, never out of it. A listing that
// meets one fails: following could go in circles, and leaving it out would hide
// what is behind it. Over NFS, a miss may be as old as the client's attribute
// cache.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"walarchive/storage"
)

// A Bucket is a directory of objects.
type Bucket struct {
	dir  string      // absolute path of the root
	info fs.FileInfo // the root as it was when opened: device and inode

	// What tests replace:
	step func(name string)                     // called between the steps of Put
	sync func(root *os.Root, dir string) error // syncDir
}

var _ storage.Bucket = (*Bucket)(nil)

// Open opens file:///absolute/path. It is a storage.Opener. There are no
// query parameters.
func Open(_ context.Context, u *url.URL) (storage.Bucket, error) {
	if err := storage.CheckQuery(u); err != nil {
		return nil, err
	}
	if u.Opaque != "" || u.Host != "" && u.Host != "localhost" || !path.IsAbs(u.Path) {
		return nil, storage.Classify(errors.New("the storage URL names no absolute path"),
			storage.ErrInvalid, "write file:///srv/wal, with three slashes")
	}
	b, err := New(u.Path)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// New opens the bucket in directory root, which must exist.
func New(root string) (*Bucket, error) {
	dir, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, rootError(dir, err)
	}
	if !info.IsDir() {
		return nil, storage.Classify(fmt.Errorf("%s is not a directory", dir), storage.ErrInvalid, "")
	}
	return &Bucket{dir: dir, info: info, step: func(string) {}, sync: syncDir}, nil
}

// Stat describes an object.
func (b *Bucket) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := storage.CheckName("stat", name); err != nil {
		return storage.Info{}, err
	}
	info, err := b.stat(ctx, name)
	if err != nil {
		return storage.Info{}, b.failure("stat", name, err)
	}
	return storage.Info{Name: name, Size: info.Size(), ModTime: info.ModTime()}, nil
}

func (b *Bucket) stat(ctx context.Context, name string) (fs.FileInfo, error) {
	root, err := b.root(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, b.missing(err)
	}
	return info, regular(info)
}

// Delete removes an object and syncs its directory.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := storage.CheckName("delete", name); err != nil {
		return err
	}
	if err := b.remove(ctx, name); err != nil {
		return b.failure("delete", name, err)
	}
	return nil
}

func (b *Bucket) remove(ctx context.Context, name string) error {
	root, err := b.root(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	dir, err := openDir(root, path.Dir(name))
	if absent(err) {
		return b.check()
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	info, err := dir.Lstat(path.Base(name))
	if err == nil && info.IsDir() {
		return nil // Remove would take an empty directory, too
	}
	if err := dir.Remove(path.Base(name)); err != nil && !absent(err) {
		return err
	}
	if err := b.sync(dir, "."); err != nil {
		return err
	}
	return b.check()
}

// root opens the root directory, if it still is the one that New found. The
// caller closes it. No call keeps it open for the next: that would hold a
// share busy and follow a store that was moved away.
func (b *Bucket) root(ctx context.Context) (*os.Root, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(b.dir)
	if err != nil {
		return nil, rootError(b.dir, err)
	}
	return root, nil
}

// check reports whether the root directory still is the one that New found.
func (b *Bucket) check() error {
	info, err := os.Stat(b.dir)
	if err != nil {
		return rootError(b.dir, err)
	}
	if !os.SameFile(info, b.info) {
		return storage.Classify(fmt.Errorf("%s is another directory than before", b.dir),
			storage.ErrUnavailable, "was a file system mounted or unmounted there?")
	}
	return nil
}

// missing turns the error of a file that is not there into ErrNotExist, once
// it is sure that the root is: without a root the store said nothing.
func (b *Bucket) missing(err error) error {
	if !absent(err) {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	return storage.ErrNotExist
}
