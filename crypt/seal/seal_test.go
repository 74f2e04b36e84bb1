package seal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"walarchive/crypt"
)

// testFrame is the frame size of most tests: the smallest.
const testFrame = minFrameSize

var allCodecs = []Codec{None, LZ4, S2, Zstd}

var testFacts = []byte("facts of the object")

// testRand is a deterministic source of what looks random.
func testRand(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func testKey(t testing.TB, fill byte) crypt.Key {
	t.Helper()
	key, err := crypt.NewKey(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func testOptions(codec Codec, frameSize int) Options {
	return Options{
		Kind: "segment", Name: "wal/1/00000001/00000000/000000010000000000000001",
		Archive: crypt.ID{0xa1}, Epoch: crypt.ID{0xe1},
		Wraps: []crypt.Wrap{{
			Kind: crypt.WrapLocal, Provider: "local", Key: "wal-2026",
			Salt: bytes.Repeat([]byte{1}, 32), Nonce: bytes.Repeat([]byte{2}, 12), Box: bytes.Repeat([]byte{3}, 48),
		}},
		Codec: codec, FrameSize: frameSize, Workers: 3, Rand: testRand(1),
	}
}

func (o Options) expect() Expect { return Expect{o.Kind, o.Name, o.Archive} }

func always(key crypt.Key) KeyFunc {
	return func(*Header) (crypt.Key, error) { return key, nil }
}

// mustSeal seals plain with testFacts and testKey 7.
func mustSeal(t testing.TB, plain []byte, o Options) []byte {
	t.Helper()
	sealed, err := Seal(nil, plain, testKey(t, 7), testFacts, o)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// open opens what mustSeal made.
func open(t testing.TB, r io.Reader, o Options) (*Reader, error) {
	t.Helper()
	return Open(r, o.expect(), always(testKey(t, 7)))
}

func mustOpen(t testing.TB, r io.Reader, o Options) *Reader {
	t.Helper()
	sr, err := open(t, r, o)
	if err != nil {
		t.Fatal(err)
	}
	return sr
}

// text is n bytes that compress, no two frames of them alike.
func text(n int) []byte {
	p := make([]byte, 0, n+16)
	for i := 0; len(p) < n; i++ {
		p = append(p, byte(i>>16), byte(i>>8), byte(i), 0, 'w', 'a', 'l', ' ', 0, 0, 0, 0, 0, 0, 0, 0)
	}
	return p[:n]
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	p := make([]byte, n)
	_, _ = io.ReadFull(testRand(9), p)
	return p
}

// waysToRead are all ways in which plaintext comes out of a Reader. Each
// returns what came out before the error, nil if the object ended well.
var waysToRead = map[string]func(r *Reader, size int) ([]byte, error){
	"Read": func(r *Reader, _ int) ([]byte, error) { return io.ReadAll(r) },
	"Read by bytes": func(r *Reader, _ int) ([]byte, error) {
		return io.ReadAll(iotest.OneByteReader(r))
	},
	"WriteTo": func(r *Reader, _ int) ([]byte, error) {
		var b bytes.Buffer
		_, err := r.WriteTo(&b)
		return b.Bytes(), err
	},
	"ReadFull": func(r *Reader, size int) ([]byte, error) {
		p := bytes.Repeat([]byte{0xaa}, size)
		if err := r.ReadFull(p); err != nil {
			if !bytes.Equal(p, make([]byte, size)) {
				return p, err
			}
			return nil, err
		}
		return p, nil
	},
}

func TestRoundTrip(t *testing.T) {
	for _, codec := range allCodecs {
		for _, n := range []int{0, 1, 2, testFrame - 1, testFrame, testFrame + 1, 3*testFrame - 1, 3 * testFrame, 40*testFrame + 17} {
			for name, plain := range map[string][]byte{"text": text(n), "noise": noise(n)} {
				o := testOptions(codec, testFrame)
				sealed := mustSeal(t, plain, o)
				want := Totals{uint64(n+testFrame-1) / testFrame, uint64(n), uint64(len(sealed)), crypt.DigestBytes(plain)}
				for way, read := range waysToRead {
					r := mustOpen(t, bytes.NewReader(sealed), o)
					got, err := read(r, n)
					if err != nil || !bytes.Equal(got, plain) || !bytes.Equal(r.Facts(), testFacts) {
						t.Errorf("%v, %d bytes of %s, %s: opened %d bytes, facts %q, %v",
							codec, n, name, way, len(got), r.Facts(), err)
					}
					if r.Totals() != want {
						t.Errorf("%v, %d bytes of %s, %s: totals %v, want %v", codec, n, name, way, r.Totals(), want)
					}
				}
			}
		}
	}
}

// TestWriteInAnyPieces holds that an object does not depend on how it was
// written, nor on the number of workers.
func TestWriteInAnyPieces(t *testing.T) {
	for _, codec := range allCodecs {
		t.Run(codec.String(), func(t *testing.T) { testPieces(t, codec) })
	}
}

func testPieces(t *testing.T, codec Codec) {
	plain := append(text(20*testFrame), noise(20*testFrame+17)...)
	want := mustSeal(t, plain, testOptions(codec, testFrame))
	for _, workers := range []int{1, 2, 3, 16} {
		for _, piece := range []int{1, 100, testFrame - 1, testFrame, testFrame + 1, 3*testFrame + 5, 30 * testFrame, len(plain)} {
			o := testOptions(codec, testFrame)
			o.Workers = workers
			var b bytes.Buffer
			w, err := NewWriter(&b, testKey(t, 7), testFacts, o)
			if err != nil {
				t.Fatal(err)
			}
			scratch := make([]byte, piece)
			for rest := plain; len(rest) > 0; {
				n := copy(scratch, rest)
				if m, err := w.Write(scratch[:n]); m != n || err != nil {
					t.Fatalf("wrote %d of %d bytes: %v", m, n, err)
				}
				clear(scratch) // the writer must not look at it any more
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("%d workers, pieces of %d bytes: another object came out", workers, piece)
			}
			if w.Totals().Sealed != uint64(len(want)) {
				t.Errorf("%d workers, pieces of %d bytes: %d bytes by its totals, %d in fact", workers, piece, w.Totals().Sealed, len(want))
			}
		}
	}
}

func TestSaltIsFresh(t *testing.T) {
	o := testOptions(None, testFrame)
	o.Rand = nil
	one, two := mustSeal(t, text(100), o), mustSeal(t, text(100), o)
	r1, r2 := mustOpen(t, bytes.NewReader(one), o), mustOpen(t, bytes.NewReader(two), o)
	if bytes.Equal(r1.Header().Salt, r2.Header().Salt) {
		t.Error("two objects have the same salt")
	}
	tail := func(p []byte) []byte { return p[len(p)-TailSize-100:] }
	if bytes.Equal(tail(one), tail(two)) {
		t.Error("two objects have the same frames")
	}
}

func TestDefaults(t *testing.T) {
	o := testOptions(0, 0)
	o.Workers = 0
	h := mustOpen(t, bytes.NewReader(mustSeal(t, nil, o)), o).Header()
	if h.Codec != S2 || h.FrameSize != 256<<10 || h.Suite != 1 {
		t.Errorf("codec %v, frame size %d, suite %d", h.Codec, h.FrameSize, h.Suite)
	}
}

func TestGivenDigestIsKept(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	o.Digest = crypt.Digest{1, 2, 3}
	r := mustOpen(t, bytes.NewReader(mustSeal(t, text(5000), o)), o)
	if _, err := io.Copy(io.Discard, r); err != nil || r.Totals().Digest != o.Digest {
		t.Errorf("digest %v, %v", r.Totals().Digest, err)
	}
}

func TestSealAppendsWithinBound(t *testing.T) {
	for _, n := range []int{0, 1, testFrame, 10*testFrame + 1} {
		o := testOptions(LZ4, testFrame)
		plain := noise(n)
		got, err := Seal([]byte("before"), plain, testKey(t, 7), testFacts, o)
		if err != nil || !bytes.HasPrefix(got, []byte("beforeWALSEAL")) {
			t.Fatalf("got %.20q, %v", got, err)
		}
		if most := Bound(int64(n), int64(len(testFacts)), testFrame); int64(len(got)-len("before")) > most {
			t.Errorf("%d bytes became %d, more than the bound of %d", n, len(got)-len("before"), most)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	wraps := testOptions(LZ4, testFrame).Wraps
	big := crypt.Wrap{Kind: "age", Provider: "escrow", Key: "k", Box: make([]byte, 4096)}
	for name, edit := range map[string]func(o *Options){
		"no kind":               func(o *Options) { o.Kind = "" },
		"kind with space":       func(o *Options) { o.Kind = "a b" },
		"no name":               func(o *Options) { o.Name = "" },
		"absolute name":         func(o *Options) { o.Name = "/wal" },
		"name that climbs":      func(o *Options) { o.Name = "wal/../keys" },
		"name with a dot":       func(o *Options) { o.Name = "wal/./1" },
		"name ending in slash":  func(o *Options) { o.Name = "wal/" },
		"name with quote":       func(o *Options) { o.Name = `wal"` },
		"name with backslash":   func(o *Options) { o.Name = `wal\1` },
		"name not ASCII":        func(o *Options) { o.Name = "wäl" },
		"name too long":         func(o *Options) { o.Name = strings.Repeat("a/", 256) + "a" },
		"no wraps":              func(o *Options) { o.Wraps = nil },
		"nine wraps":            func(o *Options) { o.Wraps = []crypt.Wrap{8: wraps[0]} },
		"malformed wrap":        func(o *Options) { o.Wraps = []crypt.Wrap{{}} },
		"header too large":      func(o *Options) { o.Wraps = []crypt.Wrap{big, big, big, big} },
		"unknown codec":         func(o *Options) { o.Codec = 5 },
		"frame size too small":  func(o *Options) { o.FrameSize = 512 },
		"frame size too large":  func(o *Options) { o.FrameSize = 2 << 20 },
		"frame size not 2^n":    func(o *Options) { o.FrameSize = 3 << 10 },
		"frame size below zero": func(o *Options) { o.FrameSize = -1024 },
	} {
		o := testOptions(LZ4, testFrame)
		edit(&o)
		if _, err := Seal(nil, nil, testKey(t, 7), nil, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: got %v, want %v", name, err, ErrOptions)
		}
	}
	if _, err := Seal(nil, nil, testKey(t, 7), make([]byte, maxFacts+1), testOptions(LZ4, 0)); !errors.Is(err, ErrOptions) {
		t.Errorf("facts too large: got %v, want %v", err, ErrOptions)
	}
	if _, err := Seal(nil, nil, crypt.Key{}, nil, testOptions(LZ4, 0)); !errors.Is(err, crypt.ErrKeyLength) {
		t.Errorf("no key: got %v, want %v", err, crypt.ErrKeyLength)
	}
}

func TestHeadSizeHoldsTheLargestHead(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	o.Wraps = []crypt.Wrap{
		{Kind: "age", Provider: "escrow", Key: "k", Box: make([]byte, 4096)},
		{Kind: "age", Provider: "escrow", Key: "k", Box: make([]byte, 4096)},
		{Kind: "age", Provider: "escrow", Key: "k", Box: make([]byte, 3500)},
	}
	facts := noise(maxFacts)
	sealed, err := Seal(nil, noise(5*testFrame), testKey(t, 7), facts, o)
	if err != nil {
		t.Fatal(err)
	}
	r := mustOpen(t, bytes.NewReader(sealed[:HeadSize]), o)
	if !bytes.Equal(r.Facts(), facts) {
		t.Error("the facts did not come out whole")
	}
	if HeadSize > 96<<10 {
		t.Errorf("a head of %d bytes is more than promised", HeadSize)
	}
}

func TestReadFullOfAnotherLength(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	sealed := mustSeal(t, text(3*testFrame), o)
	for _, n := range []int{0, 1, testFrame, 3*testFrame - 1, 3*testFrame + 1, 9 * testFrame} {
		got, err := waysToRead["ReadFull"](mustOpen(t, bytes.NewReader(sealed), o), n)
		if !errors.Is(err, ErrCorrupt) || got != nil {
			t.Errorf("%d bytes: got %v and %d bytes that are not zero", n, err, len(got))
		}
	}
}

func TestReadFullOnlyAtTheStart(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	plain := text(3 * testFrame)
	r := mustOpen(t, bytes.NewReader(mustSeal(t, plain, o)), o)
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.ReadFull(make([]byte, len(plain))); err == nil {
		t.Error("ReadFull gave the middle of the plaintext")
	}
}

func TestNothingIsLeftAfterReadFull(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	sealed := mustSeal(t, text(3*testFrame), o)
	for name, p := range map[string][]byte{"all": make([]byte, 3*testFrame), "too short": make([]byte, 2*testFrame), "too long": make([]byte, 4*testFrame)} {
		r := mustOpen(t, bytes.NewReader(sealed), o)
		_ = r.ReadFull(p)
		if n, err := r.Read(make([]byte, 10)); n != 0 || err == nil {
			t.Errorf("%s: Read gives %d more bytes, %v", name, n, err)
		}
	}
}

func TestReadMixesWithWriteTo(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	plain := text(9*testFrame + 5)
	r := mustOpen(t, bytes.NewReader(mustSeal(t, plain, o)), o)
	first := make([]byte, 10)
	var rest bytes.Buffer
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	n, err := r.WriteTo(&rest)
	if err != nil || n != int64(rest.Len()) || !bytes.Equal(append(first, rest.Bytes()...), plain) {
		t.Errorf("%d bytes by count, %d in fact, %v", n, rest.Len(), err)
	}
}
