package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
)

// allocated is how many bytes f allocates in all, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// repeated is a stream of n times p.
func repeated(p []byte, n int) io.Reader {
	readers := make([]io.Reader, n)
	for i := range readers {
		readers[i] = bytes.NewReader(p)
	}
	return io.MultiReader(readers...)
}

// TestStreamingTakesConstantMemory seals and opens 256 MiB at once. All that
// is allocated on the way, not only what is held, must be less than 1/10 of
// it: two buffers for each worker, and a little for each frame.
func TestStreamingTakesConstantMemory(t *testing.T) {
	const size = 256 << 20
	piece := append(noise(32<<10), make([]byte, 224<<10)...)
	plain := repeated(piece, size/len(piece))
	o := testOptions(LZ4, 0)
	key := testKey(t, 7)
	source, sink := io.Pipe()
	got := allocated(func() {
		go func() {
			w, err := NewWriter(sink, key, nil, o)
			if err == nil {
				_, err = io.Copy(w, plain)
			}
			if err == nil {
				err = w.Close()
			}
			sink.CloseWithError(err)
		}()
		r, err := Open(source, o.expect(), always(key))
		if err != nil {
			t.Error(err)
			return
		}
		if n, err := r.WriteTo(io.Discard); n != size || err != nil {
			t.Errorf("opened %d bytes, %v", n, err)
		}
	})
	limit := uint64(size/10 + 2*2*(3+runtime.GOMAXPROCS(0))*maxFrameSize)
	if got > limit {
		t.Errorf("%d bytes were allocated, more than %d", got, limit)
	}
}

// TestForgedLengthsAllocateNothing gives a reader objects that claim to be
// large. What it allocates must follow from the bounds of the format.
func TestForgedLengthsAllocateNothing(t *testing.T) {
	o := testOptions(LZ4, maxFrameSize)
	head, frames := split(t, mustSeal(t, text(10), o))
	long := func(frame []byte, plain, cipher uint32) []byte {
		frame = bytes.Clone(frame)
		binary.BigEndian.PutUint32(frame[12:], plain)
		binary.BigEndian.PutUint32(frame[16:], cipher)
		return frame
	}
	const huge = 0xffffffff
	for name, sealed := range map[string][]byte{
		"header":                    append([]byte("WALSEAL\x01\xff\xff\xff\xff"), make([]byte, 100)...),
		"facts":                     join(head, long(frames[0], huge, huge)),
		"facts just too long":       join(head, long(frames[0], maxFacts+1, maxFacts+1)),
		"data":                      join(head, frames[0], long(frames[1], huge, huge)),
		"data with huge plaintext":  join(head, frames[0], long(frames[1], huge, 10)),
		"data with huge ciphertext": join(head, frames[0], long(frames[1], 10, huge)),
		"data just too long":        join(head, frames[0], long(frames[1], maxFrameSize+1, maxFrameSize+1)),
		"final":                     join(head, frames[0], frames[1], long(frames[2], huge, huge)),
	} {
		got := allocated(func() {
			r, err := open(t, bytes.NewReader(sealed), o)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: got %v, want %v", name, err, ErrCorrupt)
			}
		})
		if got > 256<<10 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// TestSmallObjectsTakeLittleMemory holds that buffers grow with the content.
func TestSmallObjectsTakeLittleMemory(t *testing.T) {
	o := testOptions(LZ4, 0)
	key := testKey(t, 7)
	got := allocated(func() {
		var b bytes.Buffer
		w, err := NewWriter(&b, key, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("1\t0/3000000\tno recovery target specified\n")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := mustOpen(t, &b, o)
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
	})
	if got > 128<<10 {
		t.Errorf("%d bytes were allocated", got)
	}
}
