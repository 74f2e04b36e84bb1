package tde

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"walarchive/archive/wal"
)

// Excerpt is what of a key directory it takes to decrypt one segment later, on
// any host: with the principal key that it names, and nothing else of the
// server's. The keys in it are wrapped, it holds no secret. The package comment
// has its form.
type Excerpt struct {
	Flavor   Flavor `json:"flavor"`
	KeyFile  []byte `json:"wal_keys"` // a file wal_keys
	Provider []byte `json:"provider"` // the record of the provider that holds the principal key
}

// maxExcerpt is how many entries an excerpt may have. Every start of the
// server within one segment adds one.
const maxExcerpt = 200

// excerptPath stands for the key directory in messages about an excerpt.
const excerptPath = "what is stored with the segment"

// Excerpt takes out of the key directory what seg needs, nil if none of it is
// encrypted. It asks no key service.
func (k *Keys) Excerpt(seg wal.Segment) (*Excerpt, error) {
	x, err := k.excerpt(seg)
	if err != nil {
		return nil, fmt.Errorf("keys in %s: %w", k.dir.Path, err)
	}
	return x, nil
}

func (k *Keys) excerpt(seg wal.Segment) (*Excerpt, error) {
	source, err := k.source(seg)
	if err != nil || !source.Encrypted() {
		return nil, err
	}
	p, err := k.dir.Provider()
	if err != nil {
		return nil, err
	}
	x := &Excerpt{Flavor: k.dir.Flavor, KeyFile: k.dir.KeyFile.Header.bytes(), Provider: p.Raw()}
	in := func(r Range) bool { s := r.in(seg); return s.From < s.To }
	first := slices.IndexFunc(k.ranges, in)
	behind := len(k.ranges)
	for !in(k.ranges[behind-1]) {
		behind--
	}
	if n := behind - first; n > maxExcerpt {
		return nil, hint(fmt.Errorf("%d key ranges in one segment, %d can be kept with it: %w", n, maxExcerpt, ErrUnsupported),
			"archive this one with tde.mode = reseal, which needs the principal key; why does the server start so often?")
	}
	for _, r := range k.ranges[first:behind] {
		x.KeyFile = append(x.KeyFile, k.dir.KeyFile.Entries[r.Entry].raw...)
	}
	if behind < len(k.ranges) {
		x.KeyFile = append(x.KeyFile, k.dir.KeyFile.Entries[k.ranges[behind].Entry].outline()...)
	}
	return x, nil
}

// bytes are the header as a file begins with it, the arbitrary bytes in it zero.
func (h *Header) bytes() []byte {
	b := make([]byte, 8, headerSize)
	copy(b, []byte{'W', 'E', 'K', byte(h.Version)})
	return append(b, h.signed[:]...)
}

// outline is the entry with nothing but its type and start.
func (e *Entry) outline() []byte {
	b := make([]byte, e.layout.size)
	le := binary.LittleEndian
	le.PutUint32(b[e.layout.typ:], uint32(e.Type))
	le.PutUint64(b[e.layout.lsn:], uint64(e.Start.LSN))
	le.PutUint32(b[e.layout.tli:], uint32(e.Start.Timeline))
	return b
}

// Open checks the excerpt's form and makes of it keys, whose principal key
// fetch can get.
func (x *Excerpt) Open(fetch Fetch) (*Keys, error) {
	d, err := x.open()
	if err != nil {
		return nil, fmt.Errorf("keys in %s: %w", excerptPath, err)
	}
	return NewKeys(d, fetch), nil
}

func (x *Excerpt) open() (*Dir, error) {
	if x.Flavor != Percona && x.Flavor != Fork {
		return nil, fmt.Errorf("%w: extension %q", ErrUnsupported, x.Flavor)
	}
	f, err := ParseKeyFile(x.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("wal_keys: %w", err)
	}
	if f.Header == nil || f.Tail > 0 || len(f.Entries) == 0 || len(f.Entries) > maxExcerpt+1 {
		return nil, fmt.Errorf("wal_keys: %w: %d bytes are no excerpt", ErrDamaged, len(x.KeyFile))
	}
	ps, err := ParseProviders(x.Provider, x.Flavor)
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	d := &Dir{Path: excerptPath, Flavor: x.Flavor, KeyFile: f, Providers: ps}
	_, err = d.Provider()
	return d, err
}

// Node tells servers apart that have seg under different keys: 16 hexadecimal
// digits that stay the same when the principal key is rotated or the key file
// moves to another version.
func (k *Keys) Node(seg wal.Segment) string {
	h := sha256.New()
	for _, r := range k.ranges {
		s := r.in(seg)
		if s.From >= s.To || s.Type != Encrypted {
			continue
		}
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], uint64(s.From))
		binary.BigEndian.PutUint64(b[8:], uint64(s.To))
		iv := k.dir.KeyFile.Entries[s.Entry].BaseIV
		h.Write(b[:])
		h.Write(iv[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
