// Package file keeps principal keys in a keyring file, the format of pg_tde's
// file provider: its keyrings are read, and keys of our own are created in the
// same format. The keys lie there unprotected but for the file's mode.
//
// A keyring is an array of records of 292 bytes; an empty file is a keyring
// without keys. Integers are little-endian.
//
//	offset  size  field
//	0       256   key name, NUL-terminated, rest NUL
//	256     32    key; the first length bytes count
//	288     4     length: 16 or 32
//
// The key of a name is that of the first record whose name is equal ignoring
// ASCII case. Records are only ever appended and there are no versions: a
// rotation uses a new name. A short record at the end makes the keyring
// damaged once a search reaches it, and not before.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"walarchive/crypt"
	"walarchive/keys"
)

// maxSize bounds what is read: 57,000 keys.
const maxSize = 16 << 20

// Provider serves the keys of one keyring file, which it opens anew for every
// call.
type Provider struct{ path string }

var _ keys.Creator = (*Provider)(nil)

// New is the provider of the keyring at path. It does no I/O.
func New(path string) *Provider { return &Provider{path} }

func (p *Provider) String() string { return "keyring file " + p.path }

// Key reads the key called name. A keyring that is missing or cannot be read
// gives ErrUnavailable, not ErrNoKey: an unmounted directory looks the same
// and says nothing about the key. The mode of the file is not judged here,
// for the server reads the same file, and a restore must not fail on it.
func (p *Provider) Key(ctx context.Context, name string) (crypt.Key, error) {
	key, err := p.key(ctx, name)
	return key, p.wrap(name, err)
}

func (p *Provider) key(ctx context.Context, name string) (crypt.Key, error) {
	if err := ctx.Err(); err != nil {
		return crypt.Key{}, err
	}
	if err := checkName(name); err != nil {
		return crypt.Key{}, err
	}
	// O_NONBLOCK: a FIFO must not hold a restore.
	f, err := os.OpenFile(p.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return crypt.Key{}, unavailable(err)
	}
	defer f.Close()
	keyring, err := readKeyring(f)
	defer clear(keyring)
	if err != nil {
		return crypt.Key{}, err
	}
	return find(keyring, name)
}

// readKeyring reads the whole file; it returns what it has read also with an
// error, to be wiped.
func readKeyring(f *os.File) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, unavailable(err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxSize {
		return nil, fmt.Errorf("%w: not a file of at most %d bytes", keys.ErrBadKeyring, maxSize)
	}
	keyring := make([]byte, st.Size())
	n, err := io.ReadFull(f, keyring)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return keyring, unavailable(err)
	}
	return keyring[:n], nil
}

// unavailable marks an error of the operating system; nil stays nil.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
}

func (p *Provider) wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return &keys.Error{Provider: p.String(), Key: name, Err: err, Advice: p.advice(err)}
}

func (p *Provider) advice(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is the file system mounted? a new keyring is made by creating its first key"
	case errors.Is(err, fs.ErrPermission):
		return "the user that runs this command must be able to read " + p.path
	case errors.Is(err, keys.ErrNoKey):
		return "is this the right keyring? after a rotation the file must be brought to this host"
	case errors.Is(err, keys.ErrBadKey), errors.Is(err, keys.ErrBadKeyring):
		return fmt.Sprintf("is %s a keyring, of records of %d bytes? if so, bring a sound copy", p.path, recordSize)
	case errors.Is(err, keys.ErrName):
		return "set another name for the principal key"
	case errors.Is(err, errExposed):
		return "chmod 0600 " + p.path
	case errors.Is(err, keys.ErrKeyExists):
		return "a rotation needs a new name; case does not count"
	}
	return ""
}
