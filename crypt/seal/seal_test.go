package seal

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"walarchive/crypt"
)

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

// text is n bytes that compress, no two 1 KiB frames of them alike.
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

func TestRoundTrip(t *testing.T) {
	const frame = 1024
	key := testKey(t, 7)
	facts := []byte("facts")
	for _, codec := range []Codec{None, LZ4} {
		for _, n := range []int{0, 1, 2, frame - 1, frame, frame + 1, 3*frame - 1, 3 * frame, 40*frame + 17} {
			for name, plain := range map[string][]byte{"text": text(n), "noise": noise(n)} {
				o := testOptions(codec, frame)
				sealed, err := Seal(nil, plain, key, facts, o)
				if err != nil {
					t.Fatalf("%v, %d bytes of %s: %v", codec, n, name, err)
				}
				r, err := Open(bytes.NewReader(sealed), o.expect(), always(key))
				if err != nil {
					t.Fatalf("%v, %d bytes of %s: %v", codec, n, name, err)
				}
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, plain) || !bytes.Equal(r.Facts(), facts) {
					t.Errorf("%v, %d bytes of %s: opened %d bytes, facts %q, %v", codec, n, name, len(got), r.Facts(), err)
				}
				want := Totals{uint64(n+frame-1) / frame, uint64(n), uint64(len(sealed)), crypt.DigestBytes(plain)}
				if r.Totals() != want {
					t.Errorf("%v, %d bytes of %s: totals %v, want %v", codec, n, name, r.Totals(), want)
				}
			}
		}
	}
}
