package wal_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

// The cluster of synthetic WAL: its segment 3 is where writers begin.
var (
	cluster = wal.Identity{SystemID: 0x6B0A_1122_3344_5566, Major: 17, SegmentSize: wal.MinSegmentSize}
	seg3    = wal.Segment{Timeline: 1, No: 3, Size: wal.MinSegmentSize}
)

func newWriter() *waltest.Writer { return waltest.New(cluster, 1, seg3.Start()) }

// scan scans a copy of p and returns it as the scanner left it.
func scan(t testing.TB, seg wal.Segment, p []byte, o wal.ScanOptions) (wal.Facts, wal.End, []byte) {
	t.Helper()
	facts, end, _, after := scanCarry(t, seg, p, o)
	return facts, end, after
}

func scanCarry(t testing.TB, seg wal.Segment, p []byte, o wal.ScanOptions) (wal.Facts, wal.End, *wal.Carry, []byte) {
	t.Helper()
	if o.Identity == (wal.Identity{}) {
		o.Identity = cluster
	}
	p = bytes.Clone(p)
	s := wal.NewScanner(seg, o)
	// Pieces of different sizes, as from frames and short reads.
	for i, n := 0, 1; i < len(p); n = n%5 + 1 {
		end := min(i+n*wal.PageSize, len(p))
		if err := s.Next(p[i:end]); err != nil {
			t.Fatal(err)
		}
		i = end
	}
	facts, end := s.Close()
	if err := end.Cause; (end.Kind == wal.EndInvalid) != (err != nil) {
		t.Errorf("%v end with cause %v", end.Kind, err)
	}
	return facts, end, s.Carry(), p
}

func wantEnd(t *testing.T, got wal.End, kind wal.EndKind, lsn wal.LSN) {
	t.Helper()
	if got.Kind != kind || got.LSN != lsn {
		t.Errorf("got a %v end at %v (%v), want a %v one at %v", got.Kind, got.LSN, got.Cause, kind, lsn)
	}
}

// encode checks that facts survive their JSON and returns it.
func encode(t testing.TB, f wal.Facts) []byte {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > wal.MaxFactsSize {
		t.Errorf("facts of %d bytes", len(b))
	}
	var back wal.Facts
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("facts do not survive their JSON: %v\n%s\n%s", err, b, again)
	}
	return b
}

// noise fills b with bytes that look random and are the same every time.
func noise(b []byte) {
	for i, x := 0, uint64(1); i+8 <= len(b); i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.LittleEndian.PutUint64(b[i:], x)
	}
}

// at is the offset of lsn in its segment.
func at(lsn wal.LSN) int { return int(lsn % wal.MinSegmentSize) }
