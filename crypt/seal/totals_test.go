package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"walarchive/crypt"
)

func TestCheckEnd(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	for _, n := range []int{0, 1, testFrame, 5*testFrame + 1} {
		plain := text(n)
		sealed := mustSeal(t, plain, o)
		head := sealed[:min(len(sealed), HeadSize)]
		for _, tail := range []int{TailSize, TailSize + 1, len(sealed)} {
			got, err := mustOpen(t, bytes.NewReader(head), o).CheckEnd(int64(len(sealed)), sealed[len(sealed)-tail:])
			want := Totals{uint64(n+testFrame-1) / testFrame, uint64(n), uint64(len(sealed)), crypt.DigestBytes(plain)}
			if got != want || err != nil {
				t.Errorf("%d bytes, tail of %d: got %v, %v, want %v", n, tail, got, err, want)
			}
		}
	}
}

func TestCheckEndRefuses(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	sealed := mustSeal(t, text(5*testFrame), o)
	size := int64(len(sealed))
	tail := sealed[size-TailSize:]
	other := testOptions(LZ4, testFrame)
	other.Rand = testRand(2)
	otherTail := mustSeal(t, text(5*testFrame), other)[size-TailSize:]
	_, frames := split(t, sealed)
	for _, test := range []struct {
		name string
		size int64
		tail []byte
	}{
		{"no tail", size, nil},
		{"tail too short", size, tail[1:]},
		{"object cut by one byte", size - 1, sealed[size-1-TailSize : size-1]},
		{"object without its end", size - TailSize, sealed[size-2*TailSize : size-TailSize]},
		{"a byte behind", size + 1, append(bytes.Clone(tail), 0)[1:]},
		{"another size", size - 1, tail},
		{"size 0", 0, tail},
		{"size below zero", -1, tail},
		{"end of another object", size, otherTail},
		{"a data frame", size, frames[1]},
		{"zeros", size, make([]byte, TailSize)},
	} {
		if _, err := mustOpen(t, bytes.NewReader(sealed), o).CheckEnd(test.size, test.tail); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want %v", test.name, err, ErrCorrupt)
		}
	}
	for i := range tail {
		p := bytes.Clone(tail)
		p[i] ^= 1
		if _, err := mustOpen(t, bytes.NewReader(sealed), o).CheckEnd(size, p); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d changed: got %v, want %v", i, err, ErrCorrupt)
		}
	}
}

// TestCheckEndKnowsAFinalFrame cuts an object behind a data frame whose content
// looks like totals that agree with it.
func TestCheckEndKnowsAFinalFrame(t *testing.T) {
	o := testOptions(None, testFrame)
	head, frames := split(t, mustSeal(t, nil, o))
	size := uint64(len(join(head, frames[0])) + TailSize)
	sealed := mustSeal(t, Totals{Frames: 0, Sealed: size}.encode(), testOptions(None, testFrame))
	cut := sealed[:size]
	if _, err := mustOpen(t, bytes.NewReader(cut), o).CheckEnd(int64(size), cut); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ErrCorrupt)
	}
}

func TestCheckEndComparesNumbers(t *testing.T) {
	o := testOptions(None, testFrame)
	facts := raw(0, factsFrame, testFacts)
	end := ending(t, testOptions(None, testFrame), facts)
	end.head.number = 2
	sealed := forge(t, o, facts, end)
	if _, err := mustOpen(t, bytes.NewReader(sealed), o).CheckEnd(int64(len(sealed)), sealed); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ErrCorrupt)
	}
}

func TestCheckEndDoesNotDisturbReading(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	plain := text(5 * testFrame)
	sealed := mustSeal(t, plain, o)
	before := bytes.Clone(sealed)
	r := mustOpen(t, bytes.NewReader(sealed), o)
	if _, err := r.CheckEnd(int64(len(sealed)), sealed); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, plain) || !bytes.Equal(sealed, before) {
		t.Errorf("read %d bytes, %v; tail left alone: %v", len(got), err, bytes.Equal(sealed, before))
	}
}
