package wal_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/fixtures"
)

// FuzzScan: no bytes make the scanner panic, facts grow too long, or living
// WAL change. The input is a segment's beginning; zeros follow.
func FuzzScan(f *testing.F) {
	sc, err := fixtures.Open("D-toggle")
	if err != nil {
		f.Fatal(err)
	}
	plain, err := sc.Segments[0].Plain()
	if err != nil {
		f.Fatal(err)
	}
	seg, err := wal.ParseSegment(sc.Segments[0].Name, wal.MinSegmentSize)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain[:1000]) // short seeds: the fuzzer's minimizer is slow on long ones
	f.Add(plain[:16])
	w := newWriter()
	w.Switch()
	f.Add(w.Segment(3)[:100])
	f.Add(rich().Segment(4)[:1000])

	id := wal.Identity{SystemID: sc.SystemID, Major: 17, SegmentSize: wal.MinSegmentSize}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := make([]byte, 8*wal.PageSize)
		copy(p, b)
		for _, o := range []wal.ScanOptions{{}, {Identity: id}, {Identity: cluster}} {
			for _, seg := range []wal.Segment{seg, seg3, seg3.Next()} {
				fuzzScan(t, seg, p, o)
			}
		}
	})
}

func fuzzScan(t *testing.T, seg wal.Segment, p []byte, o wal.ScanOptions) {
	after := bytes.Clone(p)
	s := wal.NewScanner(seg, o)
	if err := s.Next(after); err != nil {
		t.Fatal(err)
	}
	facts, end := s.Close()
	encode(t, facts)
	if end.LSN < seg.Start() || end.LSN > seg.End() {
		t.Errorf("a %v end at %v", end.Kind, end.LSN)
	}
	// The pages behind a switch can end it as invalid; then they stay.
	alive := len(p)
	if end.Kind == wal.EndSwitch || end.Behind != 0 {
		alive = int(end.LSN - seg.Start())
	}
	if !bytes.Equal(after[:alive], p[:alive]) {
		t.Error("living WAL was changed")
	}
}

// FuzzRecords: records with a right CRC and any content are valid WAL. The
// input is resource manager, info, length and data of each.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("\x00\x70\x48" + strings.Repeat("n", 72) + "\x01\xB0\x18" + strings.Repeat("\xFF", 24)))
	f.Add([]byte("\x8C\x20\xFF" + strings.Repeat("k", 255) + "\x05\x00\x06\x01\x00\x00\x00/a\x00\x10\xFFX"))
	f.Add([]byte("\x00\x90\x14" + strings.Repeat("\x01", 20) + "\x00\xD0\x10" + strings.Repeat("\x02", 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWriter()
		want := make(map[wal.Rmgr]uint32)
		for len(b) >= 3 && w.LSN() < seg3.Start()+900_000 {
			r, info, n := wal.Rmgr(b[0]), b[1], min(int(b[2]), len(b)-3)
			data := b[3 : 3+n]
			b = b[3+n:]
			if info&0xF0 == 0x40 && r == wal.RmgrXLOG || !r.Valid() {
				continue
			}
			if info&1 != 0 { // a long one, over pages
				data = bytes.Repeat(data, 40)
			}
			w.Record(r, info, uint32(n), data)
			want[r]++
		}
		w.Switch()
		want[wal.RmgrXLOG]++
		facts, end, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
		wantEnd(t, end, wal.EndSwitch, end.LSN)
		if !maps.Equal(facts.Records, want) {
			t.Errorf("got records %v, want %v", facts.Records, want)
		}
		encode(t, facts)
	})
}

// FuzzFacts: what is read as facts prints as what is read again.
func FuzzFacts(f *testing.F) {
	w := rich()
	for no := wal.SegmentNo(3); no < 5; no++ {
		facts, _, _ := scan(f, wal.Segment{Timeline: 2, No: no, Size: wal.MinSegmentSize}, w.Segment(no), wal.ScanOptions{})
		f.Add(encode(f, facts))
	}
	f.Add([]byte(`{"restore_points":[{"name":"\\xff\\\\"}],"checkpoints":[{"wal_level":"7","time":"-9223372036854775808"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var facts wal.Facts
		if err := json.Unmarshal(b, &facts); err != nil {
			return
		}
		once, err := json.Marshal(facts)
		if err != nil {
			t.Fatal(err)
		}
		var again wal.Facts
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("prints as %s, then as %s (%v)", once, twice, err)
		}
	})
}

// FuzzJoin: no two facts make Join panic.
func FuzzJoin(f *testing.F) {
	w := newWriter()
	w.Fill(16)
	w.RestorePoint("at the edge", noon)
	w.Fill(0)
	var seeds [2][]byte
	for i := range seeds {
		no := seg3.No + wal.SegmentNo(i)
		facts, _, _ := scan(f, wal.Segment{Timeline: 1, No: no, Size: seg3.Size}, w.Segment(no), wal.ScanOptions{})
		seeds[i] = encode(f, facts)
	}
	f.Add(seeds[0], seeds[1])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var prev, next wal.Facts
		if json.Unmarshal(a, &prev) != nil || json.Unmarshal(b, &next) != nil {
			return
		}
		if c, err := wal.Join(&prev, &next, 17); err == nil && c != nil {
			if _, err := json.Marshal(c.Adds); err != nil {
				t.Error(err)
			}
		}
	})
}
