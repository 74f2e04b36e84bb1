package crypt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"runtime"
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
	leaves := (len(p) + LeafSize - 1) / LeafSize
	sums := make([]byte, leaves*sha256.Size)
	var next atomic.Int64
	hashLeaves := func() {
		for i := next.Add(1) - 1; i < int64(leaves); i = next.Add(1) - 1 {
			leaf := p[i*LeafSize : min((i+1)*LeafSize, int64(len(p)))]
			sum := sha256.Sum256(leaf)
			copy(sums[i*sha256.Size:], sum[:])
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), leaves) - 1 {
		others.Go(hashLeaves)
	}
	hashLeaves()
	others.Wait()
	return sha256.Sum256(sums)
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
// SHA-256: so leaves can be hashed elsewhere and in parallel. Nothing must have
// been given to Write.
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
