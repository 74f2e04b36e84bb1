package tde

import (
	"context"
	"fmt"
	"sync"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// Fetch gets a principal key of the server's from the key service that p
// describes.
type Fetch func(ctx context.Context, p Provider, name string) (crypt.Key, error)

// Keys are the WAL keys of one key directory. The principal key is fetched
// when the first encrypted segment asks for it, checked, and kept. Methods may
// be called concurrently.
type Keys struct {
	dir    *Dir
	fetch  Fetch
	ranges []Range

	mu        sync.Mutex
	principal crypt.Key // zero: not fetched yet
}

// NewKeys are the keys of d, whose principal key fetch can get.
func NewKeys(d *Dir, fetch Fetch) *Keys {
	return &Keys{dir: d, fetch: fetch, ranges: d.KeyFile.Ranges()}
}

// Cipher is the cipher of seg. It needs the principal key only if part of seg
// lies in an encrypted range, and unwraps only the keys of such ranges. For a
// .partial file it is that of the segment of the same name.
func (k *Keys) Cipher(ctx context.Context, seg wal.Segment) (*Cipher, error) {
	c, err := k.cipher(ctx, seg)
	if err != nil {
		return nil, fmt.Errorf("keys in %s: %w", k.dir.Path, err)
	}
	return c, nil
}

func (k *Keys) cipher(ctx context.Context, seg wal.Segment) (*Cipher, error) {
	source, err := k.source(seg)
	if err != nil {
		return nil, err
	}
	c := &Cipher{keys: k, seg: seg, source: source}
	for _, s := range source.Spans {
		if s.Type != Encrypted {
			continue
		}
		p, err := k.piece(ctx, seg, s)
		if err != nil {
			c.Wipe()
			return nil, err
		}
		c.pieces = append(c.pieces, p)
	}
	return c, nil
}

// Source says how seg is encrypted. It asks no key service.
func (k *Keys) Source(seg wal.Segment) (Source, error) {
	s, err := k.source(seg)
	if err != nil {
		return Source{}, fmt.Errorf("keys in %s: %w", k.dir.Path, err)
	}
	return s, nil
}

func (k *Keys) source(seg wal.Segment) (Source, error) {
	spans, err := Cover(k.ranges, seg)
	if err != nil {
		return Source{}, err
	}
	s := Source{Flavor: k.dir.Flavor, Spans: spans}
	if h := k.dir.KeyFile.Header; h != nil {
		s.Version, s.Principal = h.Version, h.KeyName
	}
	if s.Encrypted() {
		p, err := k.dir.Provider()
		if err != nil {
			return Source{}, err
		}
		s.Provider, s.Type = p.Name, p.Type
	}
	return s, nil
}

func (k *Keys) piece(ctx context.Context, seg wal.Segment, s Span) (piece, error) {
	principal, err := k.Principal(ctx)
	if err != nil {
		return piece{}, err
	}
	e := &k.dir.KeyFile.Entries[s.Entry]
	key, err := e.Unwrap(principal)
	if err != nil {
		return piece{}, err
	}
	defer key.Wipe()
	str, err := newStream(key, e.BaseIV, seg)
	return piece{s.From, s.To, str}, err
}

// Principal is the principal key that wal_keys names, fetched at most once and
// proven by the signature. A key file without header has none.
func (k *Keys) Principal(ctx context.Context) (crypt.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.dir.KeyFile.Header
	if h == nil || !k.principal.IsZero() {
		return k.principal, nil
	}
	p, err := k.dir.Provider()
	if err != nil {
		return crypt.Key{}, err
	}
	key, err := k.fetch(ctx, p, h.KeyName)
	if err != nil {
		return crypt.Key{}, fmt.Errorf("key provider %q (%s): %w", p.Name, p.Type, err)
	}
	if err := h.Verify(key); err != nil {
		return crypt.Key{}, err
	}
	k.principal = key
	return key, nil
}
