package wal_test

import (
	"bytes"
	"errors"
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

// A switch record ends a segment wherever it stands; only the bytes behind it
// are cleared.
func TestTailBehindSwitch(t *testing.T) {
	for name, prepare := range map[string]func(w *waltest.Writer){
		"first record":     func(*waltest.Writer) {},
		"middle of a page": func(w *waltest.Writer) { w.Skip(4000) },
		"split by a page's end": func(w *waltest.Writer) {
			w.Skip(wal.PageSize - wal.LongHeaderSize - 8)
		},
		"ends with a page": func(w *waltest.Writer) {
			w.Skip(wal.PageSize - wal.LongHeaderSize - 24)
		},
		"last page":         func(w *waltest.Writer) { w.Fill(1000) },
		"ends the segment":  func(w *waltest.Writer) { w.Fill(24) },
		"large record then": func(w *waltest.Writer) { w.Skip(500_000) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter()
			prepare(w)
			lsn := w.Switch()
			clean := w.Segment(3)
			facts, end, after := scan(t, seg3, clean, wal.ScanOptions{})
			wantEnd(t, end, wal.EndSwitch, end.LSN)
			if facts.LastRecord != lsn || !bytes.Equal(after, clean) {
				t.Errorf("last record at %v, want %v; changed: %t", facts.LastRecord, lsn, !bytes.Equal(after, clean))
			}
			if end.LSN == seg3.End() {
				return
			}
			dirty := bytes.Clone(clean)
			noise(dirty[at(end.LSN):])
			facts2, end, after := scan(t, seg3, dirty, wal.ScanOptions{})
			wantEnd(t, end, wal.EndSwitch, facts.End.LSN)
			if !bytes.Equal(after, clean) {
				t.Error("noise behind the switch was not cleared")
			}
			if a, b := encode(t, facts), encode(t, facts2); !bytes.Equal(a, b) {
				t.Errorf("noise changed the facts: %s\n%s", a, b)
			}
			if _, _, after := scan(t, seg3, dirty, wal.ScanOptions{KeepTail: true}); !bytes.Equal(after, dirty) {
				t.Error("the tail was not kept")
			}
		})
	}
}

func TestValidPageBehindSwitchIsRefused(t *testing.T) {
	full := newWriter()
	full.Fill(0)
	other := full.Segment(3)
	for _, page := range []int{1, 64, 127} {
		w := newWriter()
		w.Skip(4000)
		w.Switch()
		b := w.Segment(3)
		noise(b[8000:])
		copy(b[page*wal.PageSize:], other[page*wal.PageSize:][:wal.PageSize])
		_, end, _ := scan(t, seg3, b, wal.ScanOptions{})
		wantEnd(t, end, wal.EndInvalid, seg3.Start()+40+4000+24)
		if !errors.Is(end.Cause, wal.ErrAfterSwitch) || end.Behind != seg3.Start()+wal.LSN(page*wal.PageSize) {
			t.Errorf("page %d: got cause %v, page behind %v", page, end.Cause, end.Behind)
		}
	}
}

// A page of the segment that lay in the file before it was recycled has a
// valid header, but for another address.
func TestRecycledTailIsCleared(t *testing.T) {
	old := newWriter()
	old.Fill(0)
	w := waltest.New(cluster, 1, seg3.Next().Start())
	w.Skip(40)
	w.Switch()
	b := w.Segment(4)
	copy(b[wal.PageSize:], old.Segment(3)[wal.PageSize:])
	_, end, after := scan(t, seg3.Next(), b, wal.ScanOptions{})
	wantEnd(t, end, wal.EndSwitch, seg3.Next().Start()+40+40+24)
	if !bytes.Equal(after, w.Segment(4)) {
		t.Error("the recycled pages were not cleared")
	}
}

// A switch record can begin in the last 8 or 16 bytes of the segment before.
func TestSplitSwitch(t *testing.T) {
	for _, here := range []int{8, 16} {
		w := newWriter()
		w.Fill(here)
		w.Switch()
		_, end, carry, _ := scanCarry(t, seg3, w.Segment(3), wal.ScanOptions{})
		wantEnd(t, end, wal.EndFull, seg3.End())

		seg4, rest := seg3.Next(), wal.LSN(wal.LongHeaderSize+24-here)
		for name, o := range map[string]wal.ScanOptions{"alone": {}, "after its neighbour": {Prev: carry}} {
			clean := w.Segment(4)
			dirty := bytes.Clone(clean)
			noise(dirty[rest:])
			for _, b := range [][]byte{clean, dirty} {
				facts, end, next, after := scanCarry(t, seg4, b, o)
				wantEnd(t, end, wal.EndSwitch, seg4.Start()+rest)
				if !bytes.Equal(after, clean) {
					t.Errorf("%d bytes, %s: the tail was not cleared", here, name)
				}
				if facts.FirstRecord != 0 || facts.Continuation.Left != uint32(24-here) {
					t.Errorf("%d bytes, %s: first record at %v, continuation %+v", here, name, facts.FirstRecord, facts.Continuation)
				}
				seg5 := seg4.Next()
				after5 := waltest.New(cluster, 1, seg5.Start())
				after5.Record(0, 0x20, 0, make([]byte, 40))
				if _, end, _ := scan(t, seg5, after5.Segment(5), wal.ScanOptions{Prev: next}); name == "after its neighbour" {
					if re := (*wal.RecordError)(nil); !errors.As(end.Cause, &re) || re.LSN != seg5.Start()+40 {
						t.Errorf("a record that does not link back to the switch passed: %v", end.Cause)
					}
				}
			}
		}
	}
}

// With its beginning at hand the switch's CRC is checked too.
func TestDamagedSplitSwitch(t *testing.T) {
	w := newWriter()
	w.Fill(16)
	w.Switch()
	_, _, carry, _ := scanCarry(t, seg3, w.Segment(3), wal.ScanOptions{})
	b := w.Segment(4)
	b[wal.LongHeaderSize+7] ^= 1
	_, end, after := scan(t, seg3.Next(), b, wal.ScanOptions{Prev: carry})
	wantEnd(t, end, wal.EndInvalid, seg3.End()-16)
	if !bytes.Equal(after, b) {
		t.Error("bytes behind a damaged switch were changed")
	}
}

// The rest of an ordinary record can look like that of a switch: what follows
// tells them apart.
func TestRestThatLooksLikeSwitch(t *testing.T) {
	for _, left := range []int{8, 16} {
		w := newWriter()
		const length = 80
		w.Fill(length - left)
		data := make([]byte, length-26)
		data[len(data)-8] = 0x40 // the last 8 bytes read: info 0x40, manager 0, padding 0
		w.Record(wal.RmgrXLOG, 0x20, 0, data)
		w.Fill(0)
		b := w.Segment(4)
		_, end, after := scan(t, seg3.Next(), b, wal.ScanOptions{})
		wantEnd(t, end, wal.EndFull, seg3.Next().End())
		if !bytes.Equal(after, b) {
			t.Errorf("%d bytes: living WAL was changed", left)
		}
	}
}

// Only a record that can be a switch is taken for one: not the rest of one
// that is longer than a segment.
func TestRestOfLongRecordIsNoSwitch(t *testing.T) {
	w := newWriter()
	w.Fill(64)
	data := make([]byte, wal.MinSegmentSize-127*wal.ShortHeaderSize-wal.LongHeaderSize+64+16-wal.RecordHeaderSize-5)
	data[len(data)-8] = 0x40
	w.Record(wal.RmgrXLOG, 0x20, 0, data)
	_, _, carry, _ := scanCarry(t, seg3.Next(), w.Segment(4), wal.ScanOptions{})
	seg5 := seg3.Next().Next()
	facts, end, _ := scan(t, seg5, w.Segment(5), wal.ScanOptions{Prev: carry})
	wantEnd(t, end, wal.EndInvalid, seg5.Start()+wal.LongHeaderSize+16)
	if facts.Continuation == nil || facts.Continuation.Left != 16 {
		t.Errorf("continuation %+v, want 16 bytes", facts.Continuation)
	}
}
