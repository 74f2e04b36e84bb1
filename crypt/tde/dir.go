package tde

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Flavor is the extension that keeps a key directory. Its text is the
// directory's name.
type Flavor string

const (
	Percona Flavor = "pg_tde"
	Fork    Flavor = "open_pg_tde" // Command Prompt's open_pg_tde
)

// Bounds of what is read, in bytes. wal_keys grows by an entry with every
// start of the server; this is enough for 600,000.
const (
	maxKeyFile   = 64 << 20
	maxProviders = 8 << 20
)

// Dir is a key directory as it was when it was opened.
type Dir struct {
	Path      string
	Flavor    Flavor
	KeyFile   *KeyFile // of wal_keys; without header when that is empty or missing
	Missing   bool     // there is no wal_keys
	Providers []Provider

	providersErr error // why there are none; matters when one is needed
}

// Find looks for the key directory in a cluster's data directory. found is
// false if there is none; two give ErrAmbiguous.
func Find(pgdata string) (path string, found bool, err error) {
	for _, flavor := range []Flavor{Percona, Fork} {
		dir := filepath.Join(pgdata, string(flavor))
		switch _, err := os.Stat(dir); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", false, err
		case found:
			return "", false, hint(fmt.Errorf("%s and %s: %w", path, flavor, ErrAmbiguous),
				"say which one the server uses")
		}
		path, found = dir, true
	}
	return path, found, nil
}

// Open reads the key directory at path. It is the fork's if its name or the
// version of its wal_keys says so. Files that pg_tde left behind while
// rewriting (*.r) are not looked at.
func Open(path string) (*Dir, error) {
	d, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("key directory %s: %w", path, err)
	}
	return d, nil
}

func open(path string) (*Dir, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("%w: not a directory", ErrDamaged)
	}
	d := &Dir{Path: path}
	if err := d.readKeyFile(); err != nil {
		return nil, err
	}
	if err := d.setFlavor(); err != nil {
		return nil, err
	}
	d.readProviders()
	return d, nil
}

// None stands for the key directory of a cluster that has none: nothing is
// encrypted.
func None(pgdata string) *Dir {
	return &Dir{Path: filepath.Join(pgdata, string(Percona)), Flavor: Percona, KeyFile: &KeyFile{}, Missing: true}
}

func (d *Dir) readKeyFile() error {
	b, err := readFile(d.keyFilePath(), maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		d.Missing = true
		d.KeyFile = &KeyFile{}
		return d.refuseBeta()
	}
	if err != nil {
		return err
	}
	if d.KeyFile, err = ParseKeyFile(b); err != nil {
		return fmt.Errorf("wal_keys: %w", err)
	}
	return nil
}

// refuseBeta tells the 1.0 series by where it kept its WAL keys.
func (d *Dir) refuseBeta() error {
	switch _, err := os.Stat(filepath.Join(d.Path, "1664_keys")); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return hint(fmt.Errorf("WAL encrypted by the beta of pg_tde 1.0 is %w (1664_keys without wal_keys)", ErrUnsupported),
		"pg_tde 2.0 and later cannot read such a cluster either; dump it and load it into a new one")
}

func (d *Dir) setFlavor() error {
	abs, err := filepath.Abs(d.Path)
	if err != nil {
		return err
	}
	d.Flavor = Percona
	if h := d.KeyFile.Header; filepath.Base(abs) == string(Fork) || h != nil && h.Version == Version3 {
		d.Flavor = Fork
	}
	return nil
}

// readProviders keeps its error for whoever needs a provider: a segment in
// plaintext needs none.
func (d *Dir) readProviders() {
	b, err := readFile(filepath.Join(d.Path, "1664_providers"), maxProviders)
	if err == nil {
		d.Providers, err = ParseProviders(b, d.Flavor)
	}
	if err != nil {
		d.providersErr = fmt.Errorf("1664_providers: %w", err)
	}
}

func (d *Dir) keyFilePath() string { return filepath.Join(d.Path, "wal_keys") }

// Provider is the provider that holds the principal key of wal_keys.
func (d *Dir) Provider() (Provider, error) {
	if d.providersErr != nil {
		return Provider{}, d.providersErr
	}
	return findProvider(d.Providers, d.KeyFile.Header.Provider)
}

// readFile reads a file, of at most limit bytes, through one descriptor: the
// server replaces key files by rename.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", path, ErrDamaged, limit)
	}
	return b, nil
}
