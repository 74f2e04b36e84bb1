package tde

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// Version of a key file, the fourth byte of its magic.
type Version int

const (
	Version1 Version = 1 // pg_tde 2.0 and 2.1
	Version2 Version = 2 // pg_tde from 2.2 on, open_pg_tde 2.3
	Version3 Version = 3 // open_pg_tde 2.4
)

// layout says where the fields of an entry stand. Offsets and sizes in bytes.
type layout struct {
	size, aad                   int // of the entry; of its start that is authenticated
	cipher, typ, lsn, tli       int
	wrapped, baseIV, nonce, tag int
	hasCipher                   bool // else every key has 16 bytes
}

func (v Version) layout() (layout, bool) {
	switch v {
	case Version1:
		return layout{size: 96, aad: 8, wrapped: 8, baseIV: 24, typ: 40, lsn: 48, tli: 56, nonce: 64, tag: 80}, true
	case Version2:
		return layout{size: 104, aad: 8, hasCipher: true, typ: 4, lsn: 8, tli: 16, nonce: 24, tag: 40, baseIV: 56, wrapped: 72}, true
	case Version3:
		return layout{size: 104, aad: 24, hasCipher: true, typ: 4, baseIV: 8, lsn: 24, tli: 32, nonce: 40, tag: 56, wrapped: 72}, true
	}
	return layout{}, false
}

// RangeType says what an entry means for the WAL from its start on.
type RangeType uint32

const (
	Superseded  RangeType = 0 // replaced before it was used: skip it, it need not unwrap
	Unencrypted RangeType = 1 // plaintext from here on
	Encrypted   RangeType = 2 // encrypted with this entry's key from here on
)

func (t RangeType) String() string {
	switch t {
	case Superseded:
		return "superseded"
	case Unencrypted:
		return "unencrypted"
	case Encrypted:
		return "encrypted"
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// MarshalText makes range types words in JSON.
func (t RangeType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (t *RangeType) UnmarshalText(b []byte) error {
	for _, known := range []RangeType{Superseded, Unencrypted, Encrypted} {
		if string(b) == known.String() {
			*t = known
			return nil
		}
	}
	return fmt.Errorf("%q is no range type", b)
}

// KeyFile is the content of a file wal_keys.
type KeyFile struct {
	Header  *Header // nil: the server never had a key, all its WAL is plaintext
	Entries []Entry // in file order, which is the order of their making
	Tail    int     // bytes behind the last whole entry; pg_tde ignores them
}

// Entry is one WAL key and the place from which it applies.
type Entry struct {
	Number int // position in the file, from 0
	Type   RangeType
	Start  wal.Location
	BaseIV [16]byte

	layout layout
	raw    []byte
}

// IsSet reports whether the entry has a start. pg_tde appends entries without
// one and fills it in with the first WAL written.
func (e *Entry) IsSet() bool { return e.Start.Timeline != 0 && e.Start.LSN != 0 }

// Usable reports whether the entry begins a range.
func (e *Entry) Usable() bool { return e.Type != Superseded && e.IsSet() }

// KeyBytes is the length of the entry's key, 16 or 32; 0 if its cipher is unknown.
func (e *Entry) KeyBytes() int {
	if !e.layout.hasCipher {
		return 16
	}
	switch binary.LittleEndian.Uint32(e.raw[e.layout.cipher:]) {
	case 0:
		return 16
	case 1:
		return 32
	}
	return 0
}

// Raw is the entry as it stands in the file.
func (e *Entry) Raw() []byte { return bytes.Clone(e.raw) }

// ParseKeyFile reads the bytes of a file wal_keys, which it does not keep. No
// bytes at all are the file of a server that never had a key.
func ParseKeyFile(b []byte) (*KeyFile, error) {
	if len(b) == 0 {
		return &KeyFile{}, nil
	}
	h, err := parseHeader(b)
	if err != nil {
		return nil, err
	}
	l, _ := h.Version.layout()
	f := &KeyFile{Header: h}
	rest := bytes.Clone(b[headerSize:])
	for ; len(rest) >= l.size; rest = rest[l.size:] {
		e, err := parseEntry(len(f.Entries), l, rest[:l.size:l.size])
		if err != nil {
			return nil, err
		}
		f.Entries = append(f.Entries, e)
	}
	f.Tail = len(rest)
	return f, nil
}

func parseEntry(n int, l layout, b []byte) (Entry, error) {
	le := binary.LittleEndian
	e := Entry{
		Number: n,
		Type:   RangeType(le.Uint32(b[l.typ:])),
		Start:  wal.Location{Timeline: wal.Timeline(le.Uint32(b[l.tli:])), LSN: wal.LSN(le.Uint64(b[l.lsn:]))},
		BaseIV: [16]byte(b[l.baseIV:][:16]),
		layout: l,
		raw:    b,
	}
	if e.Type > Encrypted {
		return Entry{}, fmt.Errorf("entry %d: %w: unknown range %v", n, ErrDamaged, e.Type)
	}
	return e, nil
}

// Unwrap is the internal key of e. principal is the key named in the header
// and must have passed Header.Verify. Entries that are Superseded usually do
// not unwrap: pg_tde changes their authenticated type in place.
func (e *Entry) Unwrap(principal crypt.Key) (crypt.Key, error) {
	n, l := e.KeyBytes(), e.layout
	if n == 0 {
		return crypt.Key{}, fmt.Errorf("entry %d: %w: unknown cipher", e.Number, ErrDamaged)
	}
	b, err := openGCM(principal, e.raw[l.nonce:][:16], e.raw[:l.aad], e.raw[l.wrapped:][:n], e.raw[l.tag:][:16])
	switch {
	case errors.Is(err, errTag):
		return crypt.Key{}, hint(fmt.Errorf("entry %d (%v) %w: damaged in wal_keys", e.Number, e.Start, ErrUnwrap),
			"restore wal_keys from a copy of this server's own; WAL of this range cannot be read without it")
	case err != nil:
		return crypt.Key{}, fmt.Errorf("entry %d: %w", e.Number, err)
	}
	defer clear(b)
	return crypt.NewKey(b)
}

// Ranges are the stretches of WAL to which usable entries apply, in file
// order. Locations before the first are plaintext; the last has no end.
func (f *KeyFile) Ranges() []Range {
	var rs []Range
	for i := range f.Entries {
		e := &f.Entries[i]
		if !e.Usable() {
			continue
		}
		if len(rs) > 0 {
			rs[len(rs)-1].End = e.Start
		}
		rs = append(rs, Range{Entry: e.Number, Type: e.Type, Start: e.Start, End: endless})
	}
	return rs
}

// endless lies behind every location.
var endless = wal.Location{Timeline: math.MaxUint32, LSN: math.MaxUint64}
