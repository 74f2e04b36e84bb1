package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// openDir opens a directory below root; a file in its place gives ENOTDIR, for
// which OpenRoot needs the slash.
func openDir(root *os.Root, dir string) (*os.Root, error) { return root.OpenRoot(dir + "/") }

// makeDir makes dir and the directories above it, durably. A directory gets no
// entry before its own entry above is synced, so only an empty one can still
// be in doubt: its maker may be about to sync, or have died.
func (b *Bucket) makeDir(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	empty, err := isEmpty(root, dir)
	if err == nil && !empty {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = b.mkdirIn(root, dir)
	}
	if err != nil {
		return err
	}
	return b.sync(root, path.Dir(dir))
}

func (b *Bucket) mkdirIn(root *os.Root, dir string) error {
	if err := b.makeDir(root, path.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, dirMode); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func isEmpty(root *os.Root, dir string) (bool, error) {
	d, err := root.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	if err == io.EOF {
		return true, nil
	}
	return false, err
}

// syncDir makes what happened to the entries of dir durable. File systems that
// cannot sync a directory say EINVAL or ENOTSUP and do it at once or never.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !is(err, syscall.EINVAL, syscall.ENOTSUP) {
		return err
	}
	return nil
}
