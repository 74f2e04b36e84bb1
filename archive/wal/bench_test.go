package wal_test

import (
	"bytes"
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/fixtures"
)

// BenchmarkScan measures the scan of a full segment: recorded traffic, and
// the two extremes of record sizes.
func BenchmarkScan(b *testing.B) {
	sc, err := fixtures.Open("B-single-key")
	if err != nil {
		b.Fatal(err)
	}
	recorded, err := sc.Segments[1].Plain()
	if err != nil {
		b.Fatal(err)
	}
	id := wal.Identity{SystemID: sc.SystemID, Major: 17, SegmentSize: wal.MinSegmentSize}
	seg, err := wal.ParseSegment(sc.Segments[1].Name, id.SegmentSize)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("recorded", func(b *testing.B) { benchScan(b, seg, id, recorded) })

	for name, size := range map[string]int{"commits": 34, "large": 1 << 18} {
		w := waltest.New(id, 1, 4*wal.MinSegmentSize)
		for w.LSN() < 5*wal.MinSegmentSize {
			if size < 64 {
				w.Commit(waltest.Xact{XID: 1000, Time: 1})
			} else {
				w.Skip(size)
			}
		}
		b.Run(name, func(b *testing.B) { benchScan(b, w.Name(4), id, w.Segment(4)) })
	}
}

func benchScan(b *testing.B, seg wal.Segment, id wal.Identity, p []byte) {
	// A copy, for the scan may clear bytes.
	p = bytes.Clone(p)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		s := wal.NewScanner(seg, wal.ScanOptions{Identity: id})
		if err := s.Next(p); err != nil {
			b.Fatal(err)
		}
		if _, end := s.Close(); end.Kind != wal.EndFull {
			b.Fatalf("end is %v: %v", end.Kind, end.Cause)
		}
	}
}

// A scan allocates for the facts, never for a record.
func TestScanAllocatesNothingPerRecord(t *testing.T) {
	w := newWriter()
	for w.LSN() < seg3.End() {
		w.Commit(waltest.Xact{XID: 1000, Time: 1})
	}
	p := w.Segment(3)
	if n := testing.AllocsPerRun(10, func() { scanInPlace(seg3, p) }); n > 20 {
		t.Errorf("%.0f allocations for a segment of %d bytes", n, len(p))
	}
}

func scanInPlace(seg wal.Segment, p []byte) wal.End {
	s := wal.NewScanner(seg, wal.ScanOptions{Identity: cluster})
	if err := s.Next(p); err != nil {
		return wal.End{Cause: err}
	}
	_, end := s.Close()
	return end
}
