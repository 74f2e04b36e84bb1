package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"walarchive/keys/escrow"
)

// MaxExport bounds an export, in bytes.
const MaxExport = 64 << 20

// ErrExport says that a file is no export, or has been changed.
var ErrExport = errors.New("not an export of keys")

// Export is what belongs into the safe of one archive: which it is, where it
// is, who opens it, and its key chain. It holds no secret. It is kept as
// indented JSON, for people too; unknown members are refused.
//
// Whoever reads one trusts the safe it comes from: its anchor counts.
type Export struct {
	Version    int                `json:"walarchive_export"` // 1
	Time       time.Time          `json:"time"`
	Host       string             `json:"host"`
	Storage    string             `json:"storage_url"`
	Cluster    string             `json:"cluster"`
	Anchor     Anchor             `json:"anchor"`
	Principals []Exported         `json:"principals"`
	Escrow     []escrow.Recipient `json:"escrow"`          // recipients in escrow, on record in the chain
	Wraps      []EpochWraps       `json:"wraps,omitempty"` // of epoch keys to recipients of this file, on record nowhere else
	Chain      []string           `json:"chain"`           // the entries, 1 first, as they are stored
}

// Exported is a principal key that opens part of the archive.
type Exported struct {
	Ref
	Where       string `json:"where,omitempty"`       // what the driver calls its service, on the host of the export
	Fingerprint string `json:"fingerprint,omitempty"` // of a key that came out of its service
	Retired     bool   `json:"retired,omitempty"`
	Opens       []int  `json:"opens"` // epochs
}

// Export is the chain as an export has it; the caller completes it.
func (c *Chain) Export() Export {
	x := Export{Version: version, Anchor: c.Anchor(), Principals: []Exported{}, Escrow: c.Escrow()}
	at := map[Ref]int{}
	for _, e := range c.epochs {
		for _, w := range e.Wraps() {
			r := refOf(w)
			i, seen := at[r]
			if !seen {
				i = len(x.Principals)
				at[r] = i
				x.Principals = append(x.Principals, Exported{Ref: r, Retired: c.retired[r]})
			}
			x.Principals[i].Opens = append(x.Principals[i].Opens, e.Number)
		}
	}
	for _, s := range c.entries {
		x.Chain = append(x.Chain, string(s.stored))
	}
	return x
}

// Entries are the chain's entries as they are stored, 1 first.
func (x *Export) Entries() [][]byte {
	entries := make([][]byte, len(x.Chain))
	for i, e := range x.Chain {
		entries[i] = []byte(e)
	}
	return entries
}

// Encode writes the export as ParseExport reads it.
func (x *Export) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(x)
}

// ParseExport reads an export. What is no export gives ErrExport, a newer one
// ErrVersion. The chain in it hangs together and is the anchor's, as far as
// that can be told without a key.
func ParseExport(b []byte) (*Export, error) {
	if len(b) > MaxExport {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrExport, MaxExport)
	}
	var v struct {
		Version int `json:"walarchive_export"`
	}
	if err := json.Unmarshal(b, &v); err != nil || v.Version < version {
		return nil, ErrExport
	}
	if v.Version > version {
		return nil, fmt.Errorf("%w: export %d", ErrVersion, v.Version)
	}
	x := new(Export)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(x); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExport, err)
	}
	return x, x.check()
}

func (x *Export) check() error {
	c, err := linked(x.Entries())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrExport, err)
	}
	if c.Anchor() != x.Anchor {
		return fmt.Errorf("%w: %w", ErrExport, &AnchorError{Want: x.Anchor, Got: c.Anchor()})
	}
	for _, e := range x.Wraps {
		if err := checkEpochWraps(e); err != nil {
			return fmt.Errorf("%w: %w", ErrExport, err)
		}
	}
	return nil
}

// linked is a chain of stored entries of which nothing is proven.
func linked(stored [][]byte) (*Chain, error) {
	c := &Chain{retired: map[Ref]bool{}, escrow: map[escrow.Recipient]bool{}}
	for i, b := range stored {
		s, err := parseEntry(b)
		if err == nil {
			err = c.link(s)
		}
		if err != nil {
			return nil, fmt.Errorf("key chain entry %d: %w", i+1, err)
		}
	}
	if c.Len() == 0 {
		return nil, fmt.Errorf("no entries: %w", ErrChain)
	}
	return c, nil
}
