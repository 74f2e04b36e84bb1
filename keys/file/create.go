package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"walarchive/crypt"
	"walarchive/keys"
)

// errExposed keeps new secrets out of files that everybody reads.
var errExposed = errors.New("other users of this host may read or write the keyring")

// Create appends a key of 32 random bytes, under flock(2). It makes the file
// (mode 0600) where it is missing, but not its directory, which may be the
// place of a file system that is not mounted. A keyring that users outside
// owner and group may read or write is refused.
func (p *Provider) Create(ctx context.Context, name string) (crypt.Key, error) {
	key, err := p.create(ctx, name)
	return key, p.wrap(name, err)
}

func (p *Provider) create(ctx context.Context, name string) (crypt.Key, error) {
	if err := ctx.Err(); err != nil {
		return crypt.Key{}, err
	}
	if err := checkName(name); err != nil {
		return crypt.Key{}, err
	}
	f, err := os.OpenFile(p.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return crypt.Key{}, unavailable(err)
	}
	defer f.Close() // also gives up the lock
	if err := lock(ctx, f); err != nil {
		return crypt.Key{}, err
	}
	size, err := roomFor(f, name)
	if err != nil {
		return crypt.Key{}, err
	}
	key, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		return crypt.Key{}, err
	}
	if err := appendRecord(f, size, newRecord(name, key)); err != nil {
		return crypt.Key{}, unavailable(err)
	}
	if err := syncDir(filepath.Dir(p.path)); err != nil {
		return crypt.Key{}, unavailable(err)
	}
	return key, nil
}

// roomFor reports the keyring's size when a record called name may be
// appended to it.
func roomFor(f *os.File, name string) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, unavailable(err)
	}
	if st.Mode().Perm()&0o007 != 0 {
		return 0, fmt.Errorf("%w (mode %04o)", errExposed, st.Mode().Perm())
	}
	keyring, err := readKeyring(f)
	defer clear(keyring)
	if err != nil {
		return 0, err
	}
	switch _, err := find(keyring, name); {
	case errors.Is(err, keys.ErrNoKey):
		return int64(len(keyring)), nil
	case err == nil, errors.Is(err, keys.ErrBadKey):
		return 0, keys.ErrKeyExists
	default:
		return 0, err
	}
}

// appendRecord leaves the keyring as it was, size bytes long, when the record
// cannot be written whole: a piece of one would damage all later ones.
func appendRecord(f *os.File, size int64, record []byte) error {
	defer clear(record)
	_, err := f.Write(record)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		err = errors.Join(err, f.Truncate(size))
	}
	return err
}

// lock waits for the exclusive lock; other holders keep it for milliseconds.
func lock(ctx context.Context, f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return unavailable(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
