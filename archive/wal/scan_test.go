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
