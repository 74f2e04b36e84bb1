package tde

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"walarchive/archive/wal"
)

// maxRanges is how many WAL key ranges a snapshot lists. Every start of the
// server adds one, and every one of them a snapshot.
const maxRanges = 256

// Snapshot is what a key directory says at one moment about principal keys and
// where they are: what recovery will ask for, and no secret. Its JSON is what
// the archive's event log keeps; equal directories give equal JSON.
type Snapshot struct {
	Flavor     Flavor          `json:"flavor"`
	Version    Version         `json:"version,omitempty"` // of wal_keys; 0: no server key was ever set
	Principals []PrincipalInfo `json:"principals,omitempty"`
	Providers  []ProviderFile  `json:"providers,omitempty"`

	Entries    int        `json:"entries,omitempty"`    // in wal_keys
	Superseded int        `json:"superseded,omitempty"` // of them; see RotationFails
	Ranges     []KeyRange `json:"ranges,omitempty"`     // the newest, in file order

	// Unreadable are files that are not as pg_tde writes them, and why. They
	// keep no WAL from being archived, so they are no error.
	Unreadable []string `json:"unreadable,omitempty"`
}

// ProviderFile is the content of a file of providers: 1664_providers, or that
// of a database.
type ProviderFile struct {
	Scope   Scope  `json:"scope"`
	Records []byte `json:"records"` // see ParseProviders
}

// KeyRange is where WAL under one entry of wal_keys begins.
type KeyRange struct {
	Entry int          `json:"entry"`
	Type  RangeType    `json:"type"`
	Start wal.Location `json:"start"`
	Bits  int          `json:"bits"` // of its key
}

// TakeSnapshot reads the key directory at path as it is now. A file that goes
// away meanwhile counts as not there.
func TakeSnapshot(path string) (*Snapshot, error) {
	d, err := Open(path)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Flavor: d.Flavor}
	s.addWALKeys(d.KeyFile)
	scopes, err := scopesIn(path)
	if err != nil {
		return nil, err
	}
	for _, scope := range scopes {
		if err := s.addKeyFile(path, scope); err != nil {
			return nil, err
		}
		if err := s.addProviders(path, scope); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Snapshot is what the excerpt says of the server's key.
func (x *Excerpt) Snapshot() (*Snapshot, error) {
	d, err := x.open()
	if err != nil {
		return nil, fmt.Errorf("keys in %s: %w", excerptPath, err)
	}
	h := d.KeyFile.Header
	return &Snapshot{
		Flavor: x.Flavor, Version: h.Version, Principals: []PrincipalInfo{h.PrincipalInfo},
		Providers: []ProviderFile{{ServerScope, x.Provider}},
	}, nil
}

func (s *Snapshot) addWALKeys(f *KeyFile) {
	if f.Header == nil {
		return
	}
	s.Version, s.Entries = f.Header.Version, len(f.Entries)
	s.Principals = append(s.Principals, f.Header.PrincipalInfo)
	for i := range f.Entries {
		switch e := &f.Entries[i]; {
		case e.Type == Superseded:
			s.Superseded++
		case e.IsSet():
			s.Ranges = append(s.Ranges, KeyRange{e.Number, e.Type, e.Start, 8 * e.KeyBytes()})
		}
	}
	s.Ranges = s.Ranges[max(0, len(s.Ranges)-maxRanges):]
}

// RotationFails reports whether pg_tde will fail to rotate the server's key:
// it tries to unwrap superseded entries too, which from version 2 on do not.
func (s *Snapshot) RotationFails() bool { return s.Superseded > 0 && s.Version >= Version2 }

// scopesIn lists whose files are in a key directory, the server's always.
func scopesIn(path string) ([]Scope, error) {
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	scopes := []Scope{ServerScope}
	for _, f := range files {
		oid, what, _ := strings.Cut(f.Name(), "_")
		n, err := strconv.ParseUint(oid, 10, 32)
		if err == nil && strconv.FormatUint(n, 10) == oid && (what == "keys" || what == "providers") {
			scopes = append(scopes, Scope(n))
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// addKeyFile takes the header of a file of relation keys, which is that of
// wal_keys but for the magic. An empty file is one without a key.
func (s *Snapshot) addKeyFile(path string, scope Scope) error {
	if scope == ServerScope {
		return nil
	}
	b, err := readPrefix(filepath.Join(path, scope.keyFile()), headerSize)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := parseRelationHeader(b, scope)
	if err != nil {
		s.Unreadable = append(s.Unreadable, fmt.Sprintf("%s: %v", scope.keyFile(), err))
		return nil
	}
	s.Principals = append(s.Principals, p)
	return nil
}

func parseRelationHeader(b []byte, scope Scope) (PrincipalInfo, error) {
	if len(b) < headerSize || string(b[:3]) != "TDE" {
		return PrincipalInfo{}, fmt.Errorf("%w: not a file of relation keys", ErrDamaged)
	}
	p, err := ParsePrincipalInfo(b[8:headerSize])
	if err == nil && p.Scope != scope {
		err = fmt.Errorf("%w: it is the key file of %v", ErrDamaged, p.Scope)
	}
	return p, err
}

func (s *Snapshot) addProviders(path string, scope Scope) error {
	name := strconv.FormatUint(uint64(scope), 10) + "_providers"
	b, err := readFile(filepath.Join(path, name), maxProviders)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		return nil
	}
	if err == nil {
		_, err = ParseProviders(b, s.Flavor)
	}
	if errors.Is(err, ErrDamaged) {
		s.Unreadable = append(s.Unreadable, fmt.Sprintf("%s: %v", name, err))
		return nil
	}
	if err != nil {
		return err
	}
	s.Providers = append(s.Providers, ProviderFile{scope, b})
	return nil
}

// readPrefix reads the first n bytes of a file, or all if there are fewer.
func readPrefix(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, n))
}
