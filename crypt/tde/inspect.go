package tde

import (
	"context"
	"fmt"
	"time"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// Report describes a key directory. It holds no secret: keys appear by
// fingerprint, provider options name places and credential files.
type Report struct {
	Path      string           `json:"path"`
	Flavor    Flavor           `json:"flavor"`
	Version   Version          `json:"version,omitempty"` // of wal_keys; 0: no server key was ever set
	Principal *PrincipalReport `json:"principal,omitempty"`
	Entries   []EntryReport    `json:"entries"`
	Providers []ProviderReport `json:"providers"`
	Warnings  []string         `json:"warnings"` // of what does no harm now
	Problems  []string         `json:"problems"` // of what keeps WAL from being read
}

// PrincipalReport describes the principal key that wraps all others.
type PrincipalReport struct {
	Name     string    `json:"name"`
	Provider int32     `json:"provider"`
	Set      time.Time `json:"set"`
	Bits     int       `json:"bits,omitempty"` // 0: could not be fetched, or is the wrong key
}

// EntryReport describes one entry of wal_keys.
type EntryReport struct {
	Entry       int           `json:"entry"`
	Type        RangeType     `json:"type"`
	Start       *wal.Location `json:"start"`                 // nil: not set
	End         *wal.Location `json:"end,omitempty"`         // nil: none, or no range
	Bits        int           `json:"bits"`                  // of its key
	Fingerprint string        `json:"fingerprint,omitempty"` // of its key, if it unwraps
}

// ProviderReport describes a key provider of the server.
type ProviderReport struct {
	ID      int32        `json:"id"`
	Name    string       `json:"name"`
	Type    ProviderType `json:"type"`
	Options string       `json:"options"`
}

// Inspect describes the key directory. It fetches the principal key, if there
// is one, and tries every entry; what fails is among the report's problems.
func (k *Keys) Inspect(ctx context.Context) *Report {
	d := k.dir
	r := &Report{
		Path: d.Path, Flavor: d.Flavor,
		Entries: []EntryReport{}, Providers: []ProviderReport{}, Warnings: []string{}, Problems: []string{},
	}
	for _, p := range d.Providers {
		r.Providers = append(r.Providers, ProviderReport{p.ID, p.Name, p.Type, p.Text})
	}
	h := d.KeyFile.Header
	if h == nil {
		r.Warnings = append(r.Warnings, noHeader(d))
		return r
	}
	r.Version = h.Version
	r.Principal = &PrincipalReport{Name: h.KeyName, Provider: h.Provider, Set: h.Set}
	principal, err := k.Principal(ctx)
	if err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
	r.Principal.Bits = 8 * len(principal.Bytes())
	for i := range d.KeyFile.Entries {
		r.add(&d.KeyFile.Entries[i], principal)
	}
	r.addEnds(k.ranges)
	if d.KeyFile.Tail > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d bytes behind the last entry are ignored", d.KeyFile.Tail))
	}
	return r
}

func noHeader(d *Dir) string {
	if d.Missing {
		return "there is no wal_keys: all WAL counts as plaintext"
	}
	return "wal_keys is empty: all WAL counts as plaintext"
}

func (r *Report) add(e *Entry, principal crypt.Key) {
	er := EntryReport{Entry: e.Number, Type: e.Type, Bits: 8 * e.KeyBytes()}
	if e.IsSet() {
		er.Start = &e.Start
	}
	if e.Type == Superseded {
		if e.layout.hasCipher {
			r.Warnings = append(r.Warnings, fmt.Sprintf("entry %d is superseded: pg_tde will fail to rotate the principal key", e.Number))
		}
	} else if !principal.IsZero() {
		key, err := e.Unwrap(principal)
		if err == nil {
			er.Fingerprint = key.Fingerprint()
			key.Wipe()
		} else {
			r.Problems = append(r.Problems, err.Error())
		}
	}
	r.Entries = append(r.Entries, er)
}

// addEnds says where ranges end, and which overlap.
func (r *Report) addEnds(ranges []Range) {
	for i, a := range ranges {
		if a.End != endless {
			r.Entries[a.Entry].End = &ranges[i].End
		}
		if i > 0 && a.Start.Compare(ranges[i-1].Start) < 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("entry %d begins before entry %d: WAL from %v to %v cannot be read back",
				a.Entry, ranges[i-1].Entry, a.Start, ranges[i-1].Start))
		}
	}
}
