package tde

import (
	"runtime"
	"slices"
	"sync"

	"walarchive/archive/wal"
	"walarchive/crypt/tde/internal/keystream"
)

// Cipher encrypts and decrypts one segment: both are the same operation. It
// is safe for concurrent use.
type Cipher struct {
	keys   *Keys
	seg    wal.Segment
	source Source
	pieces []piece
}

// piece is an encrypted span of the segment and its key stream.
type piece struct {
	from, to int64
	stream   *keystream.Stream
}

// Source says how a segment is encrypted on its server. It holds no secret.
type Source struct {
	Flavor    Flavor       `json:"flavor"`
	Version   Version      `json:"version,omitempty"`   // of wal_keys; 0: there are no keys
	Principal string       `json:"principal,omitempty"` // name of the principal key that wraps the keys
	Provider  string       `json:"provider,omitempty"`  // name of its provider on the server
	Type      ProviderType `json:"type,omitempty"`      // of that provider
	Spans     []Span       `json:"spans,omitempty"`     // of both types; outside them the segment is plaintext
}

// Encrypted reports whether any byte of the segment is encrypted.
func (s Source) Encrypted() bool {
	return slices.ContainsFunc(s.Spans, func(s Span) bool { return s.Type == Encrypted })
}

// Source says how the segment is encrypted.
func (c *Cipher) Source() Source { return c.source }

// Encrypted reports whether any byte of the segment is encrypted.
func (c *Cipher) Encrypted() bool { return len(c.pieces) > 0 }

// share is the least that is worth a goroutine, in bytes.
const share = 128 << 10

// XOR encrypts or decrypts p, the bytes of the segment from offset off on.
// Bytes outside every encrypted span stay as they are. Large p are shared out
// to all cores.
func (c *Cipher) XOR(p []byte, off int64) {
	if !c.Encrypted() {
		return
	}
	n := min(runtime.GOMAXPROCS(0), len(p)/share)
	if n <= 1 {
		c.xor(p, off)
		return
	}
	part := (len(p)/n + share - 1) / share * share
	var wg sync.WaitGroup
	for q := range slices.Chunk(p, part) {
		from := off
		wg.Go(func() { c.xor(q, from) })
		off += int64(len(q))
	}
	wg.Wait()
}

func (c *Cipher) xor(p []byte, off int64) {
	for i := range c.pieces {
		s := &c.pieces[i]
		from, to := max(s.from, off), min(s.to, off+int64(len(p)))
		if from < to {
			s.stream.XOR(p[from-off:to-off], from)
		}
	}
}

// Wipe overwrites the keys of the segment. Where it is encrypted, XOR panics
// from then on.
func (c *Cipher) Wipe() {
	for _, p := range c.pieces {
		p.stream.Wipe()
	}
}
