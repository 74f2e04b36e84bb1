package seal

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"walarchive/crypt"
)

// draft is what mustSeal makes, with the facts known last.
func draft(t testing.TB, plain []byte, o Options) *Draft {
	t.Helper()
	d, err := NewDraft(testKey(t, 7), int64(len(plain)), o)
	if err != nil {
		t.Fatal(err)
	}
	for len(plain) > 0 {
		n := copy(d.Room(), plain)
		if err := d.Commit(n); err != nil {
			t.Fatal(err)
		}
		plain = plain[n:]
	}
	return d
}

func TestDraftIsWhatSealMakes(t *testing.T) {
	var memory Memory
	for _, codec := range allCodecs {
		for _, n := range []int{0, 1, testFrame + 1, PieceSize, 3*PieceSize + 5} {
			plain := append(text(n/2), noise(n-n/2)...)
			want := mustSeal(t, plain, testOptions(codec, testFrame))
			for name, m := range map[string]*Memory{"its own memory": nil, "used memory": &memory} {
				o := testOptions(codec, testFrame)
				o.Memory = m
				d := draft(t, plain, o)
				if got := d.Digest(); got != crypt.DigestBytes(plain) {
					t.Errorf("%v, %d bytes, %s: digest %v", codec, n, name, got)
				}
				got, err := d.Finish(testFacts)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%v, %d bytes, %s: another object, %v", codec, n, name, err)
				}
				d.Close()
			}
		}
	}
}

func TestDraftInAnyPieces(t *testing.T) {
	plain := append(text(PieceSize+100), noise(PieceSize)...)
	want := mustSeal(t, plain, testOptions(LZ4, testFrame))
	for _, step := range []int{1000, PieceSize - 1, PieceSize + 1} {
		d, err := NewDraft(testKey(t, 7), 0, testOptions(LZ4, testFrame))
		if err != nil {
			t.Fatal(err)
		}
		for i, rest := 0, plain; len(rest) > 0; i++ {
			n := min(step, len(rest))
			if i%2 == 0 {
				n = copy(d.Room(), rest[:n])
				err = d.Commit(n)
			} else {
				n, err = d.Write(rest[:n])
			}
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got, err := d.Finish(testFacts); err != nil || !bytes.Equal(got, want) {
			t.Errorf("steps of %d: another object, %v", step, err)
		}
	}
}

func TestDraftRefusesTooManyFacts(t *testing.T) {
	d := draft(t, text(100), testOptions(LZ4, testFrame))
	defer d.Close()
	if _, err := d.Finish(make([]byte, maxFacts+1)); !errors.Is(err, ErrOptions) {
		t.Errorf("got %v, want %v", err, ErrOptions)
	}
	if _, err := d.Finish(make([]byte, maxFacts)); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestDraftMayBeClosedAtAnyTime(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	o.Memory = new(Memory)
	for _, n := range []int{0, 100, 2*PieceSize + 100} {
		d := draft(t, text(n), o)
		d.Close()
		d.Close()
	}
	o.Rand = testRand(1)
	if got := mustSeal(t, text(100), o); !bytes.Equal(got, mustSeal(t, text(100), testOptions(LZ4, testFrame))) {
		t.Error("what they left behind seals another object")
	}
}

// TestMemoryIsNotShared seals and opens many objects at once in one memory.
func TestMemoryIsNotShared(t *testing.T) {
	var memory Memory
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			o := testOptions(allCodecs[i%len(allCodecs)], testFrame)
			o.Memory = &memory
			for j := range 4 {
				plain := bytes.Repeat([]byte{byte(i), byte(j)}, PieceSize)
				o.Rand = testRand(byte(i))
				d := draft(t, plain, o)
				sealed, err := d.Finish(testFacts)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(mustOpen(t, bytes.NewReader(sealed), o))
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("object %d of %d: %d bytes came back, %v", j, i, len(got), err)
				}
				d.Close()
			}
		})
	}
	all.Wait()
}

// TestMemoryIsUsedAgain: an object of 16 MiB takes a little for each frame.
func TestMemoryIsUsedAgain(t *testing.T) {
	plain := text(16 << 20)
	for _, codec := range []Codec{None, LZ4} {
		o := testOptions(codec, 0)
		o.Memory = new(Memory)
		sealOnce := func() {
			d := draft(t, plain, o)
			if _, err := d.Finish(testFacts); err != nil {
				t.Fatal(err)
			}
			d.Close()
		}
		sealOnce()
		if got := allocated(sealOnce); got > 1<<20 {
			t.Errorf("%v: the second object allocated %d bytes", codec, got)
		}
	}
}
