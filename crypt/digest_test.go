package crypt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

type digestVector struct {
	Name   string
	Unit   string
	Length int
	Digest Digest
}

func (v digestVector) content(t testing.TB) []byte {
	t.Helper()
	unit, err := hex.DecodeString(v.Unit)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(unit, v.Length/len(unit)+1)[:v.Length]
}

// readVectors reads a file of fixtures/seal.
func readVectors[V any](t testing.TB, name string) []V {
	t.Helper()
	text, err := os.ReadFile("../fixtures/seal/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []V }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatalf("%s has no vectors", name)
	}
	return file.Vectors
}

func TestDigestVectors(t *testing.T) {
	for _, v := range readVectors[digestVector](t, "digest.json") {
		content := v.content(t)
		if got := DigestBytes(content); got != v.Digest {
			t.Errorf("%s: DigestBytes gives %v, want %v", v.Name, got, v.Digest)
		}
		if got, err := ParseDigest(v.Digest.String()); got != v.Digest || err != nil {
			t.Errorf("%s: parsed back as %v, %v", v.Name, got, err)
		}
		for _, step := range []int{777_777, LeafSize, len(content) + 1} {
			var d Digester
			for rest := content; len(rest) > 0; {
				n, err := d.Write(rest[:min(step, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
				d.Sum() // must not disturb
			}
			if got := d.Sum(); got != v.Digest {
				t.Errorf("%s in steps of %d: Digester gives %v, want %v", v.Name, step, got, v.Digest)
			}
		}
	}
}

func TestDigestOfLeaves(t *testing.T) {
	for _, v := range readVectors[digestVector](t, "digest.json") {
		var d Digester
		for leaf := range slices.Chunk(v.content(t), LeafSize) {
			d.Leaf(sha256.Sum256(leaf))
		}
		if got := d.Sum(); got != v.Digest {
			t.Errorf("%s by leaves: got %v, want %v", v.Name, got, v.Digest)
		}
		var all Digester
		for _, sum := range HashLeaves(nil, v.content(t)) {
			all.Leaf(sum)
		}
		if got := all.Sum(); got != v.Digest {
			t.Errorf("%s by HashLeaves: got %v, want %v", v.Name, got, v.Digest)
		}
	}
}

func TestDigestIsZero(t *testing.T) {
	if !(Digest{}).IsZero() || DigestBytes(nil).IsZero() {
		t.Error("the digest of nothing is not the one never set")
	}
}

func BenchmarkDigestBytes(b *testing.B) {
	p := make([]byte, 16<<20)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		DigestBytes(p)
	}
}

func BenchmarkDigester(b *testing.B) {
	p := make([]byte, 16<<20)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		var d Digester
		_, _ = d.Write(p)
		d.Sum()
	}
}
