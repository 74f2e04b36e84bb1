package tde

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// fetchKey is a key service with one key.
func fetchKey(key crypt.Key) Fetch {
	return func(context.Context, Provider, string) (crypt.Key, error) {
		return crypt.NewKey(key.Bytes())
	}
}

// cipherWith encrypts the given spans of seg, each with a key of its own.
func cipherWith(t testing.TB, seg wal.Segment, keyBytes int, spans ...[2]int64) *Cipher {
	t.Helper()
	c := &Cipher{seg: seg}
	for i, s := range spans {
		key, err := crypt.NewKey(bytes.Repeat([]byte{byte(i + 1)}, keyBytes))
		if err != nil {
			t.Fatal(err)
		}
		str, err := newStream(key, [16]byte{0xFF, byte(i), 11: 0xFF}, seg)
		if err != nil {
			t.Fatal(err)
		}
		c.pieces = append(c.pieces, piece{s[0], s[1], str})
	}
	return c
}

var testSpans = [][2]int64{{0, 5000}, {5000, 70001}, {90007, 300000}, {524288, 1 << 20}}

// FuzzXOR: pieces of any sizes give what the whole gives, and that is the
// stream of the piece in which the offset lies.
func FuzzXOR(f *testing.F) {
	seg := wal.Segment{Timeline: 0x10001, No: 0xFFFFFF, Size: 1 << 20}
	whole := vectorPlaintext(seg.Size)
	ciphers := map[bool]*Cipher{false: cipherWith(f, seg, 16, testSpans...), true: cipherWith(f, seg, 32, testSpans...)}
	f.Add(uint32(0), uint32(1<<20), uint32(4096), false)
	f.Add(uint32(4999), uint32(3), uint32(1), true)
	f.Add(uint32(5003), uint32(8192), uint32(4093), true)
	f.Add(uint32(69999), uint32(500000), uint32(200003), false)
	f.Add(uint32(1<<20-1), uint32(1), uint32(1), true)
	f.Fuzz(func(t *testing.T, off, n, step uint32, long bool) {
		off %= 1 << 20
		n = min(n, 1<<20-off)
		step = max(step, n/1000+1)
		c := ciphers[long]
		got := bytes.Clone(whole[off : off+n])
		for i := uint32(0); i < n; i += min(step, n-i) {
			c.XOR(got[i:min(i+step, n)], int64(off+i))
		}
		want := bytes.Clone(whole[off : off+n])
		c.XOR(want, int64(off))
		if !bytes.Equal(got, want) {
			t.Fatalf("steps of %d bytes differ from the whole", step)
		}
		for i := uint32(0); i < n; i += n/64 + 1 {
			if b := whole[off+i] ^ referenceAt(c, int64(off+i)); b != got[i] {
				t.Fatalf("offset %d: got %02x, want %02x", off+i, got[i], b)
			}
		}
	})
}

func referenceAt(c *Cipher, off int64) byte {
	for i := range c.pieces {
		if p := &c.pieces[i]; p.from <= off && off < p.to {
			b := []byte{0}
			p.stream.XOR(b, off)
			return b[0]
		}
	}
	return 0
}

func TestXORInParallelGivesTheSame(t *testing.T) {
	seg := wal.Segment{Timeline: 1, No: 3, Size: 4 << 20}
	c := cipherWith(t, seg, 16, [2]int64{100003, 4<<20 - 5})
	want := vectorPlaintext(seg.Size)
	c.xor(want, 0)
	for _, procs := range []int{1, 2, 3, 7} {
		old := runtime.GOMAXPROCS(procs)
		got := vectorPlaintext(seg.Size)
		c.XOR(got, 0)
		runtime.GOMAXPROCS(old)
		if !bytes.Equal(got, want) {
			t.Errorf("on %d processors: another result", procs)
		}
	}
}

func TestXORAllocatesPerCallNotPerBlock(t *testing.T) {
	c := cipherWith(t, wal.Segment{Timeline: 1, No: 3, Size: 1 << 20}, 16, [2]int64{0, 1 << 20})
	p := make([]byte, 64<<10)
	if got := testing.AllocsPerRun(10, func() { c.XOR(p, 5) }); got > 2 {
		t.Errorf("got %v allocations, want at most 2", got)
	}
}

func BenchmarkXOR(b *testing.B) {
	seg := wal.Segment{Timeline: 1, No: 3, Size: 16 << 20}
	for _, bits := range []int{128, 256} {
		c := cipherWith(b, seg, bits/8, [2]int64{0, seg.Size})
		p := make([]byte, seg.Size)
		b.Run(fmt.Sprintf("aes%d/one core", bits), func(b *testing.B) {
			b.SetBytes(seg.Size)
			b.ReportAllocs()
			for b.Loop() {
				c.xor(p, 0)
			}
		})
		b.Run(fmt.Sprintf("aes%d/all cores", bits), func(b *testing.B) {
			b.SetBytes(seg.Size)
			b.ReportAllocs()
			for b.Loop() {
				c.XOR(p, 0)
			}
		})
	}
}
