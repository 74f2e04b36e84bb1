package file

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"walarchive/storage"
)

// tempPrefix begins the names of files that are being written. The tilde is
// in no object's name.
const tempPrefix = ".put~"

// A temp is a file on its way to its name, locked by us.
type temp struct {
	*os.File
	dir  *os.Root
	name string
}

// createTemp creates an empty temp in dir. A sweep that comes between creation
// and lock takes the file for a leftover; then another one is created.
func createTemp(dir *os.Root) (*temp, error) {
	for {
		name := tempPrefix + rand.Text()
		f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		if err != nil {
			return nil, err
		}
		t := &temp{f, dir, name}
		held, err := t.held()
		if held {
			return t, nil
		}
		t.remove()
		if err != nil {
			return nil, err
		}
	}
}

// held locks t and reports whether no sweep was faster. Without locks on this
// file system there are no sweeps either.
func (t *temp) held() (bool, error) {
	if errors.Is(lock(t.File), syscall.EWOULDBLOCK) {
		return false, nil
	}
	_, err := t.dir.Lstat(t.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// publish gives t its final name, or ErrExist if that is taken.
func (t *temp) publish(name string) error {
	err := t.dir.Link(t.name, name)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return t.lost(name)
	case is(err, syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EMLINK):
		return t.rename(name)
	}
	return err
}

// lost explains why name was taken. NFS may have repeated a request whose
// answer was lost, and then it is t itself that has the name (open(2)).
func (t *temp) lost(name string) error {
	ours, err := t.Stat()
	if err != nil {
		return err
	}
	there, err := t.dir.Lstat(name)
	switch {
	case err != nil:
		return err
	case os.SameFile(ours, there):
		return nil
	case there.IsDir():
		return errDirectory
	}
	return storage.ErrExist
}

// rename is publish for file systems without hard links.
func (t *temp) rename(name string) error {
	d, err := t.dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	err = renameNoReplace(int(d.Fd()), t.name, name)
	switch {
	case errors.Is(err, fs.ErrExist):
		return t.lost(name)
	case is(err, syscall.EINVAL, syscall.ENOSYS), errors.Is(err, errors.ErrUnsupported):
		return storage.Classify(errors.New("the file system has neither hard links nor renaming without replacing"),
			errors.ErrUnsupported, "use ext4, XFS, NFS or another one that has them")
	}
	return err
}

// remove takes away t, or only its temporary name after publish. What it fails
// to remove is a leftover, harmless until a later sweep. Closing comes last: it
// gives up the lock. It has no news either: the data were synced before.
func (t *temp) remove() {
	_ = t.dir.Remove(t.name)
	_ = t.Close()
}

// sweep removes what killed writers left in dir. It is housekeeping: what it
// may not or cannot remove now does not keep anybody from writing.
func sweep(dir *os.Root) {
	d, err := dir.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			removeUnlocked(dir, name)
		}
	}
}

func removeUnlocked(dir *os.Root, name string) {
	f, err := dir.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if lock(f) == nil {
		_ = dir.Remove(name)
	}
}

// lock takes the exclusive lock of f, which its last Close gives up, or fails
// with EWOULDBLOCK if somebody else has it.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}
