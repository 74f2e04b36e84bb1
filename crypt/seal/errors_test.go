package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"walarchive/crypt"
)

func TestOpenMisplaced(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	sealed := mustSeal(t, text(10), o)
	for name, want := range map[string]Expect{
		"another name":    {o.Kind, "wal/1/00000001/00000000/000000010000000000000002", o.Archive},
		"another kind":    {"backup", o.Name, o.Archive},
		"another archive": {o.Kind, o.Name, crypt.ID{0xa2}},
		"nothing":         {},
	} {
		if _, err := Open(bytes.NewReader(sealed), want, always(testKey(t, 7))); !errors.Is(err, ErrMisplaced) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMisplaced)
		}
	}
}

func TestOpenWithAnotherKey(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	sealed := mustSeal(t, text(10), o)
	if _, err := Open(bytes.NewReader(sealed), o.expect(), always(testKey(t, 8))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ErrCorrupt)
	}
	if _, err := Open(bytes.NewReader(sealed), o.expect(), always(crypt.Key{})); !errors.Is(err, crypt.ErrKeyLength) {
		t.Errorf("no key: got %v, want %v", err, crypt.ErrKeyLength)
	}
}

func TestOpenPassesTheKeyFuncsError(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	noKey := errors.New("no key")
	_, err := Open(bytes.NewReader(mustSeal(t, text(10), o)), o.expect(), func(h *Header) (crypt.Key, error) {
		if h.Epoch != o.Epoch || h.Wraps[0].Key != "wal-2026" {
			t.Errorf("asked for epoch %v, wraps %v", h.Epoch, h.Wraps)
		}
		return crypt.Key{}, noKey
	})
	if err != noKey {
		t.Errorf("got %v, want %v", err, noKey)
	}
}

// TestReadErrorIsNoCorruption holds that a source that fails is told from an
// object that ends, even if both call it an unexpected end.
func TestReadErrorIsNoCorruption(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	plain := text(5 * testFrame)
	sealed := mustSeal(t, plain, o)
	for _, cause := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for n := range sealed {
			for _, source := range []io.Reader{
				io.MultiReader(bytes.NewReader(sealed[:n]), iotest.ErrReader(cause)),
				iotest.DataErrReader(io.MultiReader(bytes.NewReader(sealed[:n]), iotest.ErrReader(cause))),
			} {
				r, err := open(t, source, o)
				var got []byte
				if err == nil {
					got, err = io.ReadAll(r)
				}
				if err != cause || !bytes.HasPrefix(plain, got) || len(got)%testFrame != 0 {
					t.Fatalf("cut after %d bytes: got %v and %d bytes, want %v", n, err, len(got), cause)
				}
			}
		}
	}
}

func TestErrorAfterTheEnd(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	cause := errors.New("connection reset")
	sealed := mustSeal(t, text(10), o)
	r := mustOpen(t, io.MultiReader(bytes.NewReader(sealed), iotest.ErrReader(cause)), o)
	if _, err := io.ReadAll(r); err != cause {
		t.Errorf("got %v, want %v", err, cause)
	}
}

func TestReadErrorsStay(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	sealed := mustSeal(t, text(5*testFrame), o)
	r := mustOpen(t, bytes.NewReader(sealed[:len(sealed)-1]), o)
	_, first := io.ReadAll(r)
	_, second := r.Read(make([]byte, 1))
	if !errors.Is(first, ErrCorrupt) || second != first {
		t.Errorf("first %v, then %v", first, second)
	}
}

// failingWriter fails with err once n bytes were written.
type failingWriter struct {
	n   int
	err error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.n -= len(p); w.n < 0 {
		return 0, w.err
	}
	return len(p), nil
}

func TestWriteErrorsStay(t *testing.T) {
	full := errors.New("disk full")
	plain := noise(30 * testFrame)
	whole := len(mustSeal(t, plain, testOptions(LZ4, testFrame)))
	for _, piece := range []int{100, testFrame, len(plain)} {
		for limit := 0; limit < whole; limit += 97 {
			w, err := NewWriter(&failingWriter{limit, full}, testKey(t, 7), testFacts, testOptions(LZ4, testFrame))
			if err == nil {
				for rest := plain; len(rest) > 0 && err == nil; rest = rest[min(piece, len(rest)):] {
					_, err = w.Write(rest[:min(piece, len(rest))])
				}
				if again := w.Close(); again != full || err != nil && err != full {
					t.Fatalf("room for %d bytes: Write gave %v, Close %v", limit, err, again)
				}
			} else if err != full || w != nil {
				t.Fatalf("room for %d bytes: NewWriter gave %v, %v", limit, w, err)
			}
		}
	}
}

func TestWriteToError(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	full := errors.New("disk full")
	r := mustOpen(t, bytes.NewReader(mustSeal(t, text(5*testFrame), o)), o)
	if n, err := r.WriteTo(&failingWriter{2 * testFrame, full}); n != 2*testFrame || err != full {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestWriteAfterClose(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, testKey(t, 7), nil, testOptions(LZ4, testFrame))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	n := b.Len()
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("Write after Close succeeds")
	}
	if err := w.Close(); err == nil || b.Len() != n {
		t.Errorf("a second Close gives %v and %d more bytes", err, b.Len()-n)
	}
}

func TestNoRandomness(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	o.Rand = bytes.NewReader(make([]byte, 31))
	if _, err := Seal(nil, nil, testKey(t, 7), nil, o); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, want %v", err, io.ErrUnexpectedEOF)
	}
}
