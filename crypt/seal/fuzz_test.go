package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"walarchive/crypt"
)

// FuzzOpen holds that nothing opens but what was sealed, and that everything
// else is named corrupt, misplaced or of another version.
func FuzzOpen(f *testing.F) {
	sealed := map[string]bool{}
	var first vector
	for _, v := range readVectors(f) {
		f.Add(v.Sealed)
		if v.Expect == "ok" || v.Expect == "misplaced" {
			sealed[string(v.Sealed)] = true
		}
		if v.name == "ok-lz4.json" {
			first = v
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		v := first
		v.Sealed = p
		_, _, err := v.open(t)
		switch {
		case err == nil:
			if !sealed[string(p)] {
				t.Errorf("%x opens", p)
			}
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrMisplaced) && !errors.Is(err, ErrVersion):
			t.Errorf("got %v", err)
		}
	})
}

// FuzzAuthentic lets the writer be the enemy: frames of any kind that all
// verify. The reader must stay within the format's bounds.
func FuzzAuthentic(f *testing.F) {
	add := func(frames ...forged) {
		var script []byte
		for _, frame := range frames {
			var head [frameHeadSize]byte
			frame.head.put(head[:])
			script = append(script, head[:]...)
			script = binary.BigEndian.AppendUint16(script, uint16(len(frame.payload)))
			script = append(script, frame.payload...)
		}
		f.Add(script)
	}
	for _, v := range readVectors(f) {
		if v.Expect == "ok" && len(v.Sealed) < 1<<16 {
			key, err := crypt.NewKey(unhex(f, v.SealKey))
			if err != nil {
				f.Fatal(err)
			}
			_, _, frames := unforge(f, key, v.Sealed)
			add(frames...)
		}
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		o := testOptions(LZ4, testFrame)
		r, err := open(t, bytes.NewReader(forge(t, o, scripted(script)...)), o)
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, r)
		if err == nil && uint64(n) != r.Totals().Plain || n > int64(len(script)*testFrame) {
			t.Errorf("%d bytes came out, %v", n, err)
		}
	})
}

// scripted makes frames of a script: head, length of the payload in two bytes,
// payload, and again.
func scripted(script []byte) []forged {
	var frames []forged
	for len(script) >= frameHeadSize+2 && len(frames) < 100 {
		head := bytes.Clone(script[:frameHeadSize])
		n := min(int(binary.BigEndian.Uint16(script[frameHeadSize:])), len(script)-frameHeadSize-2)
		script = script[frameHeadSize+2:]
		frames = append(frames, forged{
			head:    frameHead{number: binary.BigEndian.Uint64(head)},
			payload: script[:n],
			edit:    func(p []byte) { copy(p, head) },
		})
		script = script[n:]
	}
	return frames
}

// FuzzHeader holds that a header that is accepted is written as it was read.
func FuzzHeader(f *testing.F) {
	for _, v := range readVectors(f) {
		if len(v.Sealed) > preambleSize {
			f.Add(v.Sealed)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, err := ReadHeader(bytes.NewReader(p))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := h.encode()
		if err != nil || !bytes.HasPrefix(p, again) {
			t.Errorf("%x was read, %x written (%v)", p, again, err)
		}
	})
}
