package wal_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

func TestFullSegment(t *testing.T) {
	w := newWriter()
	w.Fill(0)
	facts, end, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
	wantEnd(t, end, wal.EndFull, seg3.End())
	if facts.Open != nil || facts.Continuation != nil {
		t.Errorf("records cross: %+v, %+v", facts.Continuation, facts.Open)
	}
}

func TestUnknownIdentityIsTakenFromTheFirstPage(t *testing.T) {
	for _, major := range []int{15, 16, 17, 18} {
		id := wal.Identity{SystemID: 1, Major: major, SegmentSize: wal.MinSegmentSize}
		w := waltest.New(id, 1, seg3.Start())
		w.Checkpoint(0, 800)
		w.Switch()
		s := wal.NewScanner(seg3, wal.ScanOptions{})
		if err := s.Next(w.Segment(3)); err != nil {
			t.Fatal(err)
		}
		facts, end := s.Close()
		wantEnd(t, end, wal.EndSwitch, w.Name(3).Start()+40+120+24)
		if level := facts.Checkpoints[0].Level; (level != nil) != (major >= 17) {
			t.Errorf("PostgreSQL %d: WAL level is %v", major, level)
		}
	}
}

func TestSegmentOfAnySize(t *testing.T) {
	for size := int64(wal.MinSegmentSize); size <= 64<<20; size *= 4 {
		id := wal.Identity{SystemID: 1, Major: 15, SegmentSize: size}
		w := waltest.New(id, 7, wal.LSN(5*size))
		w.Fill(8)
		w.Skip(int(size) + 4096) // over all of the next segment
		lsn := w.Switch()
		for no, want := range map[wal.SegmentNo]wal.End{
			5: {LSN: wal.LSN(6 * size), Kind: wal.EndFull},
			6: {LSN: wal.LSN(7 * size), Kind: wal.EndFull},
			7: {LSN: lsn + 24, Kind: wal.EndSwitch},
		} {
			_, end, _ := scan(t, w.Name(no), w.Segment(no), wal.ScanOptions{Identity: id})
			wantEnd(t, end, want.Kind, want.LSN)
		}
	}
}

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

func TestRecordOverThreeSegments(t *testing.T) {
	w := newWriter()
	w.Fill(1000)
	big := w.Skip(wal.MinSegmentSize + 9000)
	w.Commit(waltest.Xact{XID: 9, Time: 5})
	w.Switch()

	first, _, carry3, _ := scanCarry(t, seg3, w.Segment(3), wal.ScanOptions{})
	seg4, seg5 := seg3.Next(), seg3.Next().Next()
	middle, end, carry4, _ := scanCarry(t, seg4, w.Segment(4), wal.ScanOptions{Prev: carry3})
	wantEnd(t, end, wal.EndFull, seg4.End())
	if middle.FirstRecord != 0 || middle.LastRecord != 0 || len(middle.Records) != 0 || middle.Open != nil {
		t.Errorf("records in the middle segment: %+v", middle)
	}
	if first.Open.LSN != big || middle.Continuation.Left != first.Open.Length-1000 || len(middle.Continuation.Head) != 2048 {
		t.Errorf("open at %v, %d bytes, continued with %d", first.Open.LSN, first.Open.Length, middle.Continuation.Left)
	}
	last, end, _, _ := scanCarry(t, seg5, w.Segment(5), wal.ScanOptions{Prev: carry4})
	wantEnd(t, end, wal.EndSwitch, end.LSN)
	if last.FirstPrev != big || last.Xacts == nil {
		t.Errorf("first record links back to %v, want %v", last.FirstPrev, big)
	}

	t.Run("damaged in the middle", func(t *testing.T) {
		b := w.Segment(4)
		b[wal.MinSegmentSize/2+100] ^= 1
		_, end, carry, _ := scanCarry(t, seg4, b, wal.ScanOptions{Prev: carry3})
		wantEnd(t, end, wal.EndFull, seg4.End())
		_, end, _ = scan(t, seg5, w.Segment(5), wal.ScanOptions{Prev: carry})
		wantEnd(t, end, wal.EndInvalid, big)
	})
	t.Run("taken on trust", func(t *testing.T) {
		_, end, carry, _ := scanCarry(t, seg4, w.Segment(4), wal.ScanOptions{})
		wantEnd(t, end, wal.EndFull, seg4.End())
		_, end, _ = scan(t, seg5, w.Segment(5), wal.ScanOptions{Prev: carry})
		wantEnd(t, end, wal.EndSwitch, last.End.LSN)
	})
	t.Run("a segment left out", func(t *testing.T) {
		_, end, _ := scan(t, seg5, w.Segment(5), wal.ScanOptions{Prev: carry3})
		wantEnd(t, end, wal.EndInvalid, seg5.Start())
	})
}

// A crash leaves a record unfinished; the page behind it says so.
func TestUnfinishedRecord(t *testing.T) {
	for name, c := range map[string]struct {
		skip, length, pages int
	}{
		"on one page":       {4000, 9000, 1},
		"over three pages":  {4000, 60_000, 3},
		"header cut":        {wal.PageSize - wal.LongHeaderSize - 16, 800, 1},
		"at the page's end": {wal.PageSize - wal.LongHeaderSize - 8, 20_000, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter()
			before := w.Skip(c.skip)
			void := w.Torn(c.length, c.pages)
			w.Skip(int(wal.PageSize - w.LSN()%wal.PageSize)) // nothing crosses into the next page
			w.Commit(waltest.Xact{XID: 9, Time: 5})
			w.Fill(0)
			facts, end, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
			wantEnd(t, end, wal.EndFull, seg3.End())
			if len(facts.Overwrites) != 1 || facts.Overwrites[0].Void != void || facts.FirstRecord != before {
				t.Errorf("overwrites %+v, first record %v, want one of %v and %v", facts.Overwrites, facts.FirstRecord, void, before)
			}
		})
	}
}

func TestUnfinishedRecordAtTheEnd(t *testing.T) {
	w := newWriter()
	w.Fill(2000)
	void := w.Torn(9000, 1)
	w.Switch()
	prev, end, carry, _ := scanCarry(t, seg3, w.Segment(3), wal.ScanOptions{})
	wantEnd(t, end, wal.EndFull, seg3.End())
	if prev.LastRecord != void {
		t.Errorf("last record %v, want the open one at %v", prev.LastRecord, void)
	}
	for name, o := range map[string]wal.ScanOptions{"alone": {}, "after its neighbour": {Prev: carry}} {
		next, end, _ := scan(t, seg3.Next(), w.Segment(4), o)
		wantEnd(t, end, wal.EndSwitch, end.LSN)
		if next.Continuation != nil || next.Overwrites[0].Void != void {
			t.Errorf("%s: continuation %+v, overwrites %+v", name, next.Continuation, next.Overwrites)
		}
	}
}

// A .partial ends in zeros, in noise, or in the middle of a record.
func TestIncompleteSegment(t *testing.T) {
	w := newWriter()
	w.Skip(4000)
	w.Skip(30_000)
	stop := w.LSN()
	for name, c := range map[string]struct {
		spoil func(b []byte)
		end   wal.LSN
	}{
		"zeros": {func([]byte) {}, stop},
		"noise": {func(b []byte) { noise(b[at(stop):]) }, stop},
		"noise within a record": {
			func(b []byte) { noise(b[2*wal.PageSize:]) },
			seg3.Start() + 40 + 4000,
		},
		"zeros within a record": {
			func(b []byte) { clear(b[2*wal.PageSize:]) },
			seg3.Start() + 40 + 4000,
		},
		"nothing": {func(b []byte) { clear(b) }, seg3.Start()},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.Segment(3)
			c.spoil(b)
			facts, end, after := scan(t, seg3, b, wal.ScanOptions{})
			wantEnd(t, end, wal.EndInvalid, c.end)
			if end.Behind != 0 || facts.Open != nil || facts.End.LSN != c.end || facts.End.Kind != wal.EndInvalid {
				t.Errorf("page behind %v, open %+v, end %+v", end.Behind, facts.Open, facts.End)
			}
			if !bytes.Equal(after, b) {
				t.Error("an incomplete segment was changed")
			}
		})
	}
}

// The end of a partial segment is where the child timeline begins, also if
// the last record ends with its page.
func TestEndIsTheSwitchPointOfTheChild(t *testing.T) {
	for name, length := range map[string]int{
		"in a page":       4000,
		"at a page's end": wal.PageSize - wal.LongHeaderSize,
		"over two pages":  12_000,
	} {
		w := newWriter()
		w.Skip(length)
		partial := w.Segment(3)
		point := w.LSN()
		w.Promote(2, 1)
		w.Fill(0)
		_, end, _ := scan(t, seg3, partial, wal.ScanOptions{})
		wantEnd(t, end, wal.EndInvalid, point)

		history := &wal.History{Timeline: 2, Entries: []wal.HistoryEntry{{Parent: 1, Switch: point}}}
		facts, end, _ := scan(t, seg3.On(2), w.Segment(3), wal.ScanOptions{History: history})
		wantEnd(t, end, wal.EndFull, seg3.End())
		if r := facts.Recoveries; len(r) != 1 || r[0].Timeline != 2 || r[0].PrevTimeline != 1 {
			t.Errorf("%s: ends of recovery %+v", name, r)
		}
	}
}

// What the segment before left behind binds the first page.
func TestFirstPageAfterItsNeighbour(t *testing.T) {
	crossing := newWriter()
	crossing.Fill(80)
	crossing.Skip(400)
	crossing.Fill(0)
	even := newWriter()
	even.Fill(0)
	even.Fill(0)
	for name, c := range map[string]struct{ prev, next *waltest.Writer }{
		"rest of a record that is not open": {even, crossing},
		"open record not continued":         {crossing, even},
	} {
		_, _, carry, _ := scanCarry(t, seg3, c.prev.Segment(3), wal.ScanOptions{})
		facts, end, _ := scan(t, seg3.Next(), c.next.Segment(4), wal.ScanOptions{Prev: carry})
		var pe *wal.PageError
		if !errors.As(end.Cause, &pe) || pe.Field != wal.FieldLeft || pe.Offset != 0 || facts.FirstRecord != 0 {
			t.Errorf("%s: got a %v end: %v", name, end.Kind, end.Cause)
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

func TestTruncatedSegment(t *testing.T) {
	w := newWriter()
	w.Fill(0)
	for _, n := range []int{0, wal.PageSize, 127 * wal.PageSize} {
		_, end, _ := scan(t, seg3, w.Segment(3)[:n], wal.ScanOptions{})
		if end.Kind != wal.EndInvalid || !errors.Is(end.Cause, io.ErrUnexpectedEOF) || end.LSN > seg3.Start()+wal.LSN(n) {
			t.Errorf("%d bytes: got a %v end at %v: %v", n, end.Kind, end.LSN, end.Cause)
		}
	}
}

func TestNextWantsWholePages(t *testing.T) {
	b := newWriter().Segment(3)
	s := wal.NewScanner(seg3, wal.ScanOptions{Identity: cluster})
	if err := s.Next(b[:100]); err == nil {
		t.Error("a part of a page was accepted")
	}
	if err := s.Next(b); err != nil {
		t.Error(err)
	}
	if err := s.Next(b[:wal.PageSize]); err == nil {
		t.Error("more than the segment was accepted")
	}
}

func TestCarryFitsOnlyTheNextSegment(t *testing.T) {
	w := newWriter()
	w.Switch()
	_, _, carry, _ := scanCarry(t, seg3, w.Segment(3), wal.ScanOptions{})
	_, end, none, _ := scanCarry(t, seg3, w.Segment(3), wal.ScanOptions{Prev: carry})
	if wantEnd(t, end, wal.EndInvalid, seg3.Start()); none != nil {
		t.Error("an invalid end carries on")
	}
}
