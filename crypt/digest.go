package crypt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// LeafSize is the length in bytes of all leaves of a digest but the last.
const LeafSize = 1 << 20

// ErrDigest says that a text is not a Digest.
var ErrDigest = errors.New("a digest has 64 lower-case hexadecimal digits")

// Digest identifies a content; the package comment defines it. It prints as 64
// lower-case hexadecimal digits.
type Digest [32]byte

// ParseDigest reads what Digest.String prints, and only that, or gives
// ErrDigest.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if !parseHex(d[:], s) {
		return Digest{}, fmt.Errorf("%w, not %q", ErrDigest, s)
	}
	return d, nil
}

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d was never set. No content is known to have it.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText is Digest.String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDigest.
func (d *Digest) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDigest(string(b))
	return err
}

// DigestBytes is the digest of p, its leaves hashed on all cores.
func DigestBytes(p []byte) Digest {
	pairs := slices.Collect(slices.Chunk(p, 2*LeafSize))
	sums := make([][][sha256.Size]byte, len(pairs))
	var next atomic.Int64
	hash := func() {
		for i := next.Add(1) - 1; i < int64(len(pairs)); i = next.Add(1) - 1 {
			sums[i] = HashLeaves(nil, pairs[i])
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(pairs)) - 1 {
		others.Go(hash)
	}
	hash()
	others.Wait()
	var d Digester
	for _, sum := range slices.Concat(sums...) {
		d.Leaf(sum)
	}
	return d.Sum()
}

// HashLeaves appends the SHA-256 of each leaf of p to sums. Two at once are
// faster on some processors, so p should be a multiple of two leaves, unless it
// ends the content.
func HashLeaves(sums [][sha256.Size]byte, p []byte) [][sha256.Size]byte {
	for len(p) >= 2*LeafSize {
		x, y, ok := sum2(p[:LeafSize], p[LeafSize:2*LeafSize])
		if !ok {
			break
		}
		sums, p = append(sums, x, y), p[2*LeafSize:]
	}
	for leaf := range slices.Chunk(p, LeafSize) {
		sums = append(sums, sha256.Sum256(leaf))
	}
	return sums
}

// A Digester computes the Digest of what is written to it, in constant memory
// and on one core. Its zero value is ready.
type Digester struct {
	leaf, root hash.Hash
	filled     int // bytes in the open leaf
}

// Write adds p to the content. It never fails.
func (d *Digester) Write(p []byte) (int, error) {
	d.begin()
	for rest := p; len(rest) > 0; {
		n := min(len(rest), LeafSize-d.filled)
		d.leaf.Write(rest[:n])
		d.filled += n
		rest = rest[n:]
		if d.filled == LeafSize {
			d.root.Write(d.leaf.Sum(nil))
			d.leaf.Reset()
			d.filled = 0
		}
	}
	return len(p), nil
}

// Leaf adds a whole leaf, LeafSize bytes or the last of the content, by its
// SHA-256: so leaves can be hashed elsewhere and in parallel, by HashLeaves.
// Nothing must have been given to Write.
func (d *Digester) Leaf(sum [sha256.Size]byte) {
	d.begin()
	d.root.Write(sum[:])
}

// Sum is the digest of everything written so far; more may follow.
func (d *Digester) Sum() Digest {
	d.begin()
	if d.filled == 0 {
		return Digest(d.root.Sum(nil))
	}
	root, err := d.root.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // SHA-256 can be cloned
	}
	root.Write(d.leaf.Sum(nil))
	return Digest(root.Sum(nil))
}

func (d *Digester) begin() {
	if d.root == nil {
		d.leaf, d.root = sha256.New(), sha256.New()
	}
}
