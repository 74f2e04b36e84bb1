package credential

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"walarchive/crypt"
	"walarchive/keys"
)

// MaxSecret bounds a secret, in bytes: a key of RSA with a chain of
// certificates has less.
const MaxSecret = 64 << 10

// maxFile bounds a file with a sealed credential, in bytes.
const maxFile = 2*MaxSecret + 16<<10

// Place is where the credential of one provider lies on this host, and what it
// is bound to. Its methods may be called concurrently.
type Place struct {
	Provider string            // its name in the configuration
	Options  map[string]string // the connection: its options but those about the credential itself
	File     string            // the sealed credential
	HostKey  string            // file with the host's key, in another directory
	Loaded   string            // directory with the credentials that systemd opened for this process; may be empty

	MachineID string // file with the host's id; empty: /etc/machine-id
}

// name is what systemd knows the credential by.
func (p *Place) name() string { return "walarchive-" + p.Provider }

// Secret opens the credential. It is a keys.Secret; failures are an *Error.
func (p *Place) Secret() ([]byte, error) {
	_, secret, err := p.open()
	return secret, p.wrap(err)
}

var _ keys.Secret = (*Place)(nil).Secret

func (p *Place) open() (record, []byte, error) {
	if p.Loaded != "" {
		b, err := readPrivate(filepath.Join(p.Loaded, p.name()), anyOwner)
		if err == nil {
			return p.split(b)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return record{}, nil, err
		}
	}
	b, err := readPrivate(p.File, ownOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil, errNotSet
	}
	if err != nil {
		return record{}, nil, err
	}
	if bytes.HasPrefix(b, []byte(start)) {
		return p.openByKey(b)
	}
	opened, err := systemdDecrypt(p.name(), p.File)
	if err != nil {
		return record{}, nil, err
	}
	return p.split(opened)
}

// split takes apart what systemd has opened.
func (p *Place) split(b []byte) (record, []byte, error) {
	r, _, secret, err := parseRecord(b)
	if err == nil {
		err = p.fits(r)
	}
	if err != nil {
		clear(b)
		return record{}, nil, err
	}
	return r, secret, nil
}

// fits reports why a credential sealed with r is not for here.
func (p *Place) fits(r record) error {
	want, err := p.record(r.Time)
	switch {
	case err != nil:
		return err
	case r.Host != want.Host:
		return ErrElsewhere
	case r.Provider != want.Provider:
		return fmt.Errorf("%w: of provider %q", ErrConnection, r.Provider)
	case r.Connection != want.Connection:
		return ErrConnection
	}
	return nil
}

func (p *Place) record(now time.Time) (record, error) {
	id, err := p.machineID()
	if err != nil {
		return record{}, err
	}
	return record{version, p.Provider, hostDigest(id), connectionDigest(p.Options), now.UTC().Truncate(time.Second)}, nil
}

const defaultMachineID = "/etc/machine-id"

// machineID is the host's id; empty where it has none, as in most containers.
func (p *Place) machineID() (string, error) {
	path := p.MachineID
	if path == "" {
		path = defaultMachineID
	}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: host id: %w", keys.ErrUnavailable, err)
	}
	return string(bytes.TrimSpace(b)), nil
}

// Status is what can be said of a credential without showing it.
type Status struct {
	Provider string    `json:"provider"`
	File     string    `json:"file"`
	SealedBy Method    `json:"sealed_by,omitempty"`
	Time     time.Time `json:"time,omitzero"`     // when it was sealed; zero if it does not open
	Loaded   bool      `json:"loaded"`            // systemd has opened it for this process
	Problem  string    `json:"problem,omitempty"` // why it does not open
}

// Status opens the credential and tells how that went.
func (p *Place) Status() (Status, error) {
	s := Status{Provider: p.Provider, File: p.File, SealedBy: p.method()}
	if p.Loaded != "" {
		_, err := os.Stat(filepath.Join(p.Loaded, p.name()))
		s.Loaded = err == nil
	}
	r, secret, err := p.open()
	clear(secret)
	if err = p.wrap(err); err != nil {
		s.Problem = err.Error()
	}
	s.Time = r.Time
	return s, err
}

// method looks how the file is sealed; empty if it cannot tell.
func (p *Place) method() Method {
	b, err := readPrivate(p.File, anyOwner)
	switch {
	case err != nil:
		return ""
	case bytes.HasPrefix(b, []byte(start)):
		return ByHostKey
	}
	return BySystemd
}

// Whose a file may be.
const (
	anyOwner = false
	ownOnly  = true // the reader's or root's
)

// readPrivate reads a file that nobody else may read or write.
func readPrivate(path string, own bool) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold a restore
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	switch sys, ok := st.Sys().(*syscall.Stat_t); {
	case !st.Mode().IsRegular() || st.Size() > maxFile:
		return nil, fmt.Errorf("%w: not a file of at most %d bytes", ErrDamaged, maxFile)
	case st.Mode().Perm()&0o077 != 0 && own:
		return nil, fmt.Errorf("%w: %s has mode %04o", ErrExposed, path, st.Mode().Perm())
	case own && ok && sys.Uid != 0 && int(sys.Uid) != os.Geteuid():
		return nil, fmt.Errorf("%w: %s belongs to user %d", ErrExposed, path, sys.Uid)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	return b, nil
}

// hostKey reads the host's key.
func (p *Place) hostKey() (crypt.Key, error) {
	b, err := readPrivate(p.HostKey, ownOnly)
	defer clear(b)
	if errors.Is(err, fs.ErrNotExist) {
		return crypt.Key{}, fmt.Errorf("%w: %s, the host key, is not there", ErrKey, p.HostKey)
	}
	if err != nil {
		return crypt.Key{}, fmt.Errorf("host key: %w", err)
	}
	if len(b) != hostKeySize {
		return crypt.Key{}, fmt.Errorf("%w: %s has not %d bytes", ErrKey, p.HostKey, hostKeySize)
	}
	return crypt.NewKey(b)
}
