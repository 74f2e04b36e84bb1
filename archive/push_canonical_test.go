package archive_test

import (
	"bytes"
	"fmt"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
)

// dirty is b with noise from offset off on.
func dirty(b []byte, off int) []byte {
	b = bytes.Clone(b)
	for i := range b[off:] {
		b[off+i] = byte(i*7 + i>>8)
	}
	return b
}

// behindSwitch is the offset in segment no behind the switch record that ends
// it, which the host has just written.
func (h *host) behindSwitch(no wal.SegmentNo) int {
	b := h.Segment(no)
	used := len(bytes.TrimRight(b, "\x00"))
	return (used + 7) &^ 7
}

// What lies behind a switch record is dead, and two honest nodes can differ
// there: it is stored as zeros, and both files are the same content.
func TestPushClearsOnlyDeadBytes(t *testing.T) {
	for _, left := range []int{0, 8, 16} { // bytes of the switch record in the segment before
		t.Run(fmt.Sprintf("%d bytes of the switch record before", left), func(t *testing.T) {
			h := newHost(t, small)
			a, _ := h.newArchive()
			h.Fill(left)
			if left == 0 {
				h.Skip(512)
			}
			h.Switch()
			if done := mustPush(t, a, h.dir, h.putSegment(3)); done.Proof != archive.ProofFull {
				t.Errorf("the segment before: got proof %q, want %q", done.Proof, archive.ProofFull)
			}
			clean, name := h.Segment(4), h.Name(4).String()
			done := mustPush(t, a, h.dir, h.put(name, dirty(clean, h.behindSwitch(4))))
			if done.Proof != archive.ProofSwitch || done.Already {
				t.Errorf("got proof %q, already %v, want %q and a new object", done.Proof, done.Already, archive.ProofSwitch)
			}
			if done := mustPush(t, a, h.dir, h.put(name, clean)); !done.Already {
				t.Error("the same WAL with other dead bytes counts as other content")
			}
			wantContent(t, a, h.dir, name, clean)
			wantContent(t, a, h.dir, h.Name(3).String(), h.Segment(3))
		})
	}
}

// A page behind a switch record with a header of its own address could be WAL:
// such a segment is not judged dead.
func TestPushRefusesAValidPageBehindASwitch(t *testing.T) {
	for _, page := range []int{1, 60, 127} {
		t.Run(fmt.Sprintf("page %d", page), func(t *testing.T) {
			h := newHost(t, small)
			a, b := h.newArchive()
			h.Skip(512)
			h.Switch()
			seg := dirty(h.Segment(3), h.behindSwitch(3))
			other := newHost(t, small)
			other.Fill(0)
			copy(seg[page*wal.PageSize:][:wal.PageSize], other.Segment(3)[page*wal.PageSize:])
			_, err := a.Push(t.Context(), h.dir, h.put(h.Name(3).String(), seg))
			wantRefusal(t, err, archive.ErrInvalid, "valid page behind a switch record")
			wantObjects(t, b)
		})
	}
}

// A switch record whose CRC is wrong is none: nothing behind it is cleared.
func TestPushRefusesABrokenSwitch(t *testing.T) {
	h := newHost(t, small)
	a, b := h.newArchive()
	h.Skip(512)
	h.Switch()
	_, err := a.Push(t.Context(), h.dir, h.put(h.Name(3).String(), flip(h.Segment(3), h.behindSwitch(3)-1)))
	wantRefusal(t, err, archive.ErrInvalid, "wrong CRC")
	wantObjects(t, b)
}

// Whatever fills a segment to its end is stored as it is.
func TestPushAltersNoLiveByte(t *testing.T) {
	for name, write := range map[string]func(h *host){
		"full":                       func(h *host) { h.Fill(0) },
		"record across the end":      func(h *host) { h.Fill(64); h.Skip(4096) },
		"record over whole segments": func(h *host) { h.Skip(3 << 20) },
		"crash":                      func(h *host) { h.Torn(40000, 2); h.Fill(0) },
		"promotion":                  func(h *host) { h.Skip(512); h.Promote(2, 0); h.Fill(0) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			a, _ := h.newArchive()
			write(h)
			path := h.putSegment(3)
			if done := mustPush(t, a, h.dir, path); done.Proof != archive.ProofFull {
				t.Errorf("got proof %q, want %q", done.Proof, archive.ProofFull)
			}
			wantContent(t, a, h.dir, h.Name(3).String(), h.Segment(3))
		})
	}
}

// A .partial is stored with all its bytes, those behind a switch too.
func TestPushLeavesPartialsUnaltered(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	h.Skip(512)
	h.Switch()
	name := h.Name(3).String() + ".partial"
	want := dirty(h.Segment(3), h.behindSwitch(3))
	mustPush(t, a, h.dir, h.put(name, want))
	wantContent(t, a, h.dir, name, want)
}
