package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// split cuts an object into what is before its frames, and its frames.
func split(t testing.TB, sealed []byte) (head []byte, frames [][]byte) {
	t.Helper()
	at := preambleSize + int(binary.BigEndian.Uint32(sealed[8:]))
	head = sealed[:at]
	for at < len(sealed) {
		n := frameOverhead + int(binary.BigEndian.Uint32(sealed[at+16:]))
		frames = append(frames, sealed[at:at+n])
		at += n
	}
	return head, frames
}

func join(head []byte, frames ...[]byte) []byte {
	return slices.Concat(head, slices.Concat(frames...))
}

// mustRefuse fails the test unless sealed does not open, and all that comes
// out of it are whole frames from plain's start.
func mustRefuse(t testing.TB, what string, sealed, plain []byte, o Options) {
	t.Helper()
	for way, read := range waysToRead {
		r, err := open(t, bytes.NewReader(sealed), o)
		var got []byte
		if err == nil {
			got, err = read(r, len(plain))
		}
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s, %s: got %v, want %v", what, way, err, ErrCorrupt)
		}
		if !bytes.HasPrefix(plain, got) || len(got)%o.FrameSize != 0 && len(got) != len(plain) {
			t.Errorf("%s, %s: %d bytes came out that are not the first frames", what, way, len(got))
		}
	}
}

// small is an object with packed and raw frames that can be tried at every byte.
func small(t testing.TB, codec Codec) (sealed, plain []byte, o Options) {
	t.Helper()
	o = testOptions(codec, testFrame)
	plain = append(bytes.Repeat([]byte{1}, testFrame), bytes.Repeat([]byte{2}, testFrame)...)
	plain = append(plain, noise(5)...)
	return mustSeal(t, plain, o), plain, o
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	for _, codec := range allCodecs {
		sealed, plain, o := small(t, codec)
		for i := range sealed {
			for _, flip := range []byte{0x01, 0x20, 0x80, 0xff} {
				p := bytes.Clone(sealed)
				p[i] ^= flip
				mustRefuse(t, fmt.Sprintf("%v, byte %d xor %#x", codec, i, flip), p, plain, o)
			}
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	sealed, plain, o := small(t, LZ4)
	for n := range sealed {
		mustRefuse(t, fmt.Sprintf("%d bytes of %d", n, len(sealed)), sealed[:n], plain, o)
	}
}

func TestEveryInsertedOrLostByteIsRefused(t *testing.T) {
	sealed, plain, o := small(t, LZ4)
	for i := range len(sealed) + 1 {
		mustRefuse(t, fmt.Sprintf("zero byte before byte %d", i), slices.Insert(bytes.Clone(sealed), i, 0), plain, o)
	}
	for i := range sealed {
		mustRefuse(t, fmt.Sprintf("byte %d lost", i), slices.Delete(bytes.Clone(sealed), i, i+1), plain, o)
	}
}

func TestRearrangedFramesAreRefused(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	plain := append(text(3*testFrame), noise(2*testFrame)...)
	sealed := mustSeal(t, plain, o)
	head, f := split(t, sealed)
	if len(f) != 7 {
		t.Fatalf("%d frames, want 7", len(f))
	}
	for i := range f {
		mustRefuse(t, fmt.Sprintf("frame %d dropped", i), join(head, slices.Delete(slices.Clone(f), i, i+1)...), plain, o)
		mustRefuse(t, fmt.Sprintf("frame %d repeated", i), join(head, slices.Insert(slices.Clone(f), i, f[i])...), plain, o)
		mustRefuse(t, fmt.Sprintf("frame %d repeated at the end", i), join(head, append(slices.Clone(f), f[i])...), plain, o)
		mustRefuse(t, fmt.Sprintf("cut before frame %d", i), join(head, f[:i]...), plain, o)
		for j := range i {
			g := slices.Clone(f)
			g[i], g[j] = g[j], g[i]
			mustRefuse(t, fmt.Sprintf("frames %d and %d changed over", i, j), join(head, g...), plain, o)
		}
	}
	mustRefuse(t, "object twice", append(bytes.Clone(sealed), sealed...), plain, o)
}

// TestSplicedFramesAreRefused takes frames from objects that differ from the
// first in one thing, under the same epoch key.
func TestSplicedFramesAreRefused(t *testing.T) {
	plain := append(text(3*testFrame), noise(2*testFrame)...)
	o := testOptions(LZ4, testFrame)
	head, f := split(t, mustSeal(t, plain, o))
	for name, edit := range map[string]func(o *Options){
		"salt":    func(o *Options) { o.Rand = testRand(2) },
		"name":    func(o *Options) { o.Name = "wal/2" },
		"kind":    func(o *Options) { o.Kind = "backup" },
		"archive": func(o *Options) { o.Archive[0]++ },
		"epoch":   func(o *Options) { o.Epoch[0]++ },
		"wraps":   func(o *Options) { o.Wraps = append(o.Wraps, o.Wraps[0]) },
	} {
		other := testOptions(LZ4, testFrame)
		edit(&other)
		otherHead, g := split(t, mustSeal(t, plain, other))
		for i := range f {
			mixed := slices.Clone(f)
			mixed[i] = g[i]
			mustRefuse(t, fmt.Sprintf("frame %d of an object of another %s", i, name), join(head, mixed...), plain, o)
		}
		mustRefuse(t, "all frames behind the header of another "+name, join(otherHead, f...), plain, o)
	}
}
