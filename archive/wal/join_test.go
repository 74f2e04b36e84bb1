package wal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/fixtures"
)

// pair scans two neighbours, each alone, and returns their facts as they come
// back from an archive.
func pair(t *testing.T, w *waltest.Writer) (prev, next *wal.Facts) {
	t.Helper()
	for i, f := range []**wal.Facts{&prev, &next} {
		no := seg3.No + wal.SegmentNo(i)
		facts, _, _ := scan(t, wal.Segment{Timeline: w.Timeline(), No: no, Size: seg3.Size}, w.Segment(no), wal.ScanOptions{})
		*f = new(wal.Facts)
		if err := json.Unmarshal(encode(t, facts), *f); err != nil {
			t.Fatal(err)
		}
	}
	return prev, next
}

// crossings are records that make facts, and what those are.
var crossings = map[string]struct {
	write func(w *waltest.Writer) wal.LSN
	want  func(lsn wal.LSN) wal.Facts
}{
	"commit": {
		func(w *waltest.Writer) wal.LSN { return w.Commit(waltest.Xact{XID: 735, Time: noon, Subxacts: 8}) },
		func(wal.LSN) wal.Facts {
			return wal.Facts{Xacts: &wal.XactRange{LowestTime: noon, HighestTime: noon, LowestXID: 735, HighestXID: 735}}
		},
	},
	"commit of a prepared transaction": {
		func(w *waltest.Writer) wal.LSN {
			return w.Commit(waltest.Xact{XID: 735, Time: noon, Subxacts: 8, Stats: 3, Invals: 9, Prepared: true})
		},
		func(wal.LSN) wal.Facts {
			return wal.Facts{Xacts: &wal.XactRange{LowestTime: noon, HighestTime: noon, LowestXID: 735, HighestXID: 735}}
		},
	},
	"restore point": {
		func(w *waltest.Writer) wal.LSN { return w.RestorePoint("at the edge", noon) },
		func(lsn wal.LSN) wal.Facts {
			return wal.Facts{RestorePoints: []wal.RestorePoint{{LSN: lsn, Time: noon, Name: "at the edge"}}}
		},
	},
	"backup end": {
		func(w *waltest.Writer) wal.LSN { return w.BackupEnd(0x200028) },
		func(lsn wal.LSN) wal.Facts {
			return wal.Facts{BackupEnds: []wal.BackupEnd{{LSN: lsn, Start: 0x200028}}}
		},
	},
	"new provider of pg_tde": {
		func(w *waltest.Writer) wal.LSN {
			return w.TDE(wal.TDEWriteKeyProvider, bytes.Repeat([]byte("p"), 1176))
		},
		func(lsn wal.LSN) wal.Facts {
			return wal.Facts{TDE: []wal.TDERecord{{LSN: lsn, Info: wal.TDEWriteKeyProvider, Payload: bytes.Repeat([]byte("p"), 1176)}}}
		},
	},
	"nothing worth keeping": {
		func(w *waltest.Writer) wal.LSN { return w.Skip(1000) },
		func(wal.LSN) wal.Facts { return wal.Facts{} },
	},
}

// A record that crosses into the next segment is decoded from the facts of
// the two, wherever it is cut.
func TestJoin(t *testing.T) {
	for name, c := range crossings {
		t.Run(name, func(t *testing.T) {
			for _, here := range []int{8, 16, 24, 32, 40, 48, 56} {
				w := newWriter()
				w.Fill(here)
				lsn := c.write(w)
				if w.LSN() <= seg3.End() {
					continue // it does not cross
				}
				w.Fill(0)
				prev, next := pair(t, w)
				got, err := wal.Join(prev, next, cluster.Major)
				if err != nil || got == nil || got.State != wal.CrossingWhole || got.LSN != lsn {
					t.Fatalf("%d bytes here: got %+v, %v", here, got, err)
				}
				// Counted on exactly one side.
				r := wal.Rmgr(recordAt(w, lsn)[17])
				if header := here >= wal.RecordHeaderSize; (got.Adds.Records[r] == 1) == header || len(prev.Records) == 0 {
					t.Errorf("%d bytes here: %v records added", here, got.Adds.Records)
				}
				got.Adds.Records = nil
				if a, b := encode(t, got.Adds), encode(t, c.want(lsn)); !bytes.Equal(a, b) {
					t.Errorf("%d bytes here: got %s\nwant %s", here, a, b)
				}
			}
		})
	}
}

// recordAt is the record at lsn, headers of pages within it left out.
func recordAt(w *waltest.Writer, lsn wal.LSN) []byte {
	b := append(w.Segment(3)[at(lsn):], w.Segment(4)[wal.LongHeaderSize:]...)
	return b[:wal.RecordHeaderSize]
}

func TestJoinOfSwitch(t *testing.T) {
	for _, here := range []int{8, 16} {
		w := newWriter()
		w.Fill(here)
		lsn := w.Switch()
		prev, next := pair(t, w)
		got, err := wal.Join(prev, next, cluster.Major)
		if err != nil || got.LSN != lsn || got.State != wal.CrossingWhole || got.Adds.Records[wal.RmgrXLOG] != 1 {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestJoinOfLongRecord(t *testing.T) {
	w := newWriter()
	w.Fill(2000)
	w.Commit(waltest.Xact{XID: 735, Time: noon, Subxacts: 100_000, Prepared: true})
	w.Fill(0)
	prev, next := pair(t, w)
	got, err := wal.Join(prev, next, cluster.Major)
	if err != nil || got.State != wal.CrossingCut {
		t.Fatalf("got %+v, %v", got, err)
	}
	// The time is at the beginning, the id is not.
	if x := got.Adds.Xacts; x == nil || x.HighestTime != noon || x.HighestXID != 0 || !got.Adds.Incomplete("xacts") {
		t.Errorf("got %+v, left out %v", x, got.Adds.Overflow)
	}
}

func TestJoinOverThreeSegments(t *testing.T) {
	w := newWriter()
	w.Fill(100)
	w.Skip(wal.MinSegmentSize + 500)
	w.Fill(0)
	first, middle := pair(t, w)
	if got, err := wal.Join(first, middle, cluster.Major); err != nil || got.State != wal.CrossingCut {
		t.Errorf("first two: got %+v, %v", got, err)
	}
	seg5 := seg3.Next().Next()
	last, _, _ := scan(t, seg5, w.Segment(5), wal.ScanOptions{})
	if got, err := wal.Join(middle, &last, cluster.Major); err != nil || got != nil {
		t.Errorf("last two: got %+v, %v", got, err)
	}
	last.Continuation.Left -= 8
	if got, err := wal.Join(middle, &last, cluster.Major); !errors.Is(err, wal.ErrJoin) {
		t.Errorf("a rest of another size: got %+v, %v", got, err)
	}
}

func TestJoinOfVoid(t *testing.T) {
	w := newWriter()
	w.Fill(2000)
	void := w.Torn(9000, 1)
	w.Fill(0)
	prev, next := pair(t, w)
	got, err := wal.Join(prev, next, cluster.Major)
	if err != nil || got.State != wal.CrossingVoid || got.LSN != void {
		t.Errorf("got %+v, %v", got, err)
	}
	next.Overwrites[0].Void -= 8
	if _, err := wal.Join(prev, next, cluster.Major); !errors.Is(err, wal.ErrJoin) {
		t.Errorf("another record is void: %v", err)
	}
	next.Overwrites = nil
	if _, err := wal.Join(prev, next, cluster.Major); !errors.Is(err, wal.ErrJoin) {
		t.Errorf("a record that nothing continues or voids: %v", err)
	}
}

func TestJoinOfRecorded(t *testing.T) {
	sc, err := fixtures.Open("B-single-key")
	if err != nil {
		t.Fatal(err)
	}
	id := wal.Identity{SystemID: sc.SystemID, Major: 17, SegmentSize: wal.MinSegmentSize}
	var prev *wal.Facts
	for _, g := range sc.Segments {
		plain, err := g.Plain()
		if err != nil {
			t.Fatal(err)
		}
		seg, err := wal.ParseSegment(g.Name, g.Size)
		if err != nil {
			t.Fatal(err)
		}
		facts, _, _ := scan(t, seg, plain, wal.ScanOptions{Identity: id})
		if prev != nil {
			if got, err := wal.Join(prev, &facts, 17); err != nil || got == nil {
				t.Errorf("%s: got %+v, %v", g.Name, got, err)
			}
		}
		prev = &facts
	}
}

// Facts of segments that were never neighbours contradict each other.
func TestJoinRefuses(t *testing.T) {
	make2 := func() (prev, next *wal.Facts) {
		w := newWriter()
		w.Fill(56)
		w.RestorePoint("at the edge", noon)
		w.Fill(0)
		return pair(t, w)
	}
	for name, spoil := range map[string]func(prev, next *wal.Facts){
		"other LSN":             func(_, next *wal.Facts) { next.FirstLSN += wal.MinSegmentSize },
		"incomplete":            func(prev, _ *wal.Facts) { prev.End.Kind = wal.EndInvalid },
		"other content":         func(_, next *wal.Facts) { next.Continuation.Head[3] ^= 1 },
		"other rest":            func(_, next *wal.Facts) { next.Continuation.Left++ },
		"no rest":               func(_, next *wal.Facts) { next.Continuation = nil },
		"no record open":        func(prev, _ *wal.Facts) { prev.Open = nil },
		"other link back":       func(_, next *wal.Facts) { next.FirstPrev -= 8 },
		"beginning cut":         func(prev, _ *wal.Facts) { prev.Open.Head = prev.Open.Head[:20] },
		"other link, none open": func(prev, next *wal.Facts) { prev.Open, next.Continuation = nil, nil; next.FirstPrev -= 8 },
	} {
		prev, next := make2()
		if _, err := wal.Join(prev, next, cluster.Major); err != nil {
			t.Fatal(err)
		}
		spoil(prev, next)
		if got, err := wal.Join(prev, next, cluster.Major); !errors.Is(err, wal.ErrJoin) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}
