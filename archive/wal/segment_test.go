package wal

import (
	"errors"
	"fmt"
	"testing"
)

func segmentSizes() (sizes []int64) {
	for size := int64(MinSegmentSize); size <= MaxSegmentSize; size *= 2 {
		sizes = append(sizes, size)
	}
	return sizes
}

func TestValidSegmentSize(t *testing.T) {
	if got := len(segmentSizes()); got != 11 {
		t.Fatalf("got %d segment sizes, want 11", got)
	}
	for _, size := range segmentSizes() {
		if !ValidSegmentSize(size) {
			t.Errorf("%d bytes is refused", size)
		}
	}
	for _, size := range []int64{-1 << 20, 0, 1, 1 << 19, 3 << 20, 16<<20 + 1, 2 << 30, -1 << 63} {
		if ValidSegmentSize(size) {
			t.Errorf("%d bytes is taken for a segment size", size)
		}
	}
}

// The names are what pg_walfile_name prints with each segment size.
func TestNameOfLSN(t *testing.T) {
	tests := []struct {
		size int64
		lsn  LSN
		want string
	}{
		{1 << 20, 0, "000000010000000000000000"},
		{1 << 20, 0xFFFFF, "000000010000000000000000"},
		{1 << 20, 0x100000, "000000010000000000000001"},
		{1 << 20, 0xFFFFFFFF, "000000010000000000000FFF"},
		{1 << 20, 0x100000000, "000000010000000100000000"},
		{2 << 20, 0xFFFFFFFF, "0000000100000000000007FF"},
		{16 << 20, 0x16B374D848, "0000000100000016000000B3"},
		{16 << 20, 0xFFFFFFFF, "0000000100000000000000FF"},
		{64 << 20, 0x16B374D848, "00000001000000160000002C"},
		{512 << 20, 0xFFFFFFFF, "000000010000000000000007"},
		{1 << 30, 0x16B374D848, "000000010000001600000002"},
		{1 << 30, 1<<64 - 1, "00000001FFFFFFFF00000003"},
	}
	for _, tt := range tests {
		seg := SegmentAt(1, tt.lsn, tt.size)
		if got := seg.String(); got != tt.want {
			t.Errorf("segments of %d bytes: %v lies in %s, want %s", tt.size, tt.lsn, got, tt.want)
		}
		if !seg.Contains(tt.lsn) {
			t.Errorf("%v of %d bytes does not contain %v", seg, tt.size, tt.lsn)
		}
	}
}

func TestSegmentsOfEverySize(t *testing.T) {
	for _, size := range segmentSizes() {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			perLog := SegmentNo(1 << 32 / size)
			for _, no := range []SegmentNo{0, 1, perLog - 1, perLog, perLog + 1, 0x16 * perLog, 1<<32*perLog - 1} {
				checkSegment(t, Segment{7, no, size})
			}
			last := fmt.Sprintf("0000000100000000%08X", perLog-1)
			if _, err := ParseSegment(last, size); err != nil {
				t.Error(err)
			}
			over := fmt.Sprintf("0000000100000000%08X", perLog)
			if _, err := ParseSegment(over, size); !errors.Is(err, ErrName) {
				t.Errorf("ParseSegment(%s) = %v, want %v", over, err, ErrName)
			}
		})
	}
}

func checkSegment(t *testing.T, seg Segment) {
	t.Helper()
	if got, err := ParseSegment(seg.String(), seg.Size); err != nil || got != seg {
		t.Errorf("%+v prints %v, which parses to %+v, %v", seg, seg, got, err)
	}
	start, last := seg.Start(), seg.Start()+LSN(seg.Size)-1
	for _, lsn := range []LSN{start, last} {
		if SegmentAt(7, lsn, seg.Size) != seg || !seg.Contains(lsn) {
			t.Errorf("%v does not contain %v", seg, lsn)
		}
	}
	if seg.Contains(start-1) || seg.Contains(last+1) {
		t.Errorf("%v reaches beyond %v to %v", seg, start, last)
	}
	if got, want := fmt.Sprintf("%08X", seg.Log()), seg.String()[8:16]; got != want {
		t.Errorf("log of %v: got %s, want %s", seg, got, want)
	}
	if seg.End() != last+1 || seg.Next().Start() != seg.End() {
		t.Errorf("%v ends at %v and the next begins at %v, want %v", seg, seg.End(), seg.Next().Start(), last+1)
	}
	if on := seg.On(8); on.Start() != start || on.String() != "00000008"+seg.String()[8:] {
		t.Errorf("%v on timeline 8: got %v", seg, on)
	}
}

func TestParseName(t *testing.T) {
	const size = 16 << 20
	seg := Segment{1, 0xAFF, size}
	tests := []struct {
		in   string
		want Name
	}{
		{"000000010000000A000000FF", Name{KindSegment, seg, 0}},
		{"000000010000000A000000FF.partial", Name{KindPartial, seg, 0}},
		{"000000010000000A000000FF.00000028.backup", Name{KindBackup, seg, 0x28}},
		{"000000010000000A000000FF.00FFFFF8.backup", Name{KindBackup, seg, 0xFFFFF8}},
		{"0000000A.history", Name{KindHistory, Segment{Timeline: 10, Size: size}, 0}},
		{"FFFFFFFF.history", Name{KindHistory, Segment{Timeline: 1<<32 - 1, Size: size}, 0}},
	}
	for _, tt := range tests {
		got, err := ParseName(tt.in, size)
		if err != nil || got != tt.want {
			t.Errorf("ParseName(%s) = %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
		if got.String() != tt.in {
			t.Errorf("%s prints %s", tt.in, got)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	for _, in := range []string{
		"", ".", ".partial", ".history", ".backup",
		"000000010000000A000000F",           // too short
		"000000010000000A000000FF0",         // too long
		"000000010000000a000000ff",          // lower case
		"000000010000000A00000100",          // beyond the segments of a log
		"000000000000000A000000FF",          // timeline 0
		"000000010000000A000000FF.partialx", // unknown ending
		"000000010000000A000000FF.partial.gz",
		"000000010000000A000000FF.",
		"000000010000000A000000FF.28.backup",
		"000000010000000A000000FF.01000000.backup", // offset beyond the segment
		"000000010000000A000000FF.0000002G.backup",
		"000000010000000A000000FF.00000028.backup.",
		"00000000.history", "0000000a.history", "2.history", "000000002.history",
		"RECOVERYXLOG", "RECOVERYHISTORY",
		"../00000001.history", "pg_wal/000000010000000A000000FF",
		" 00000010000000A000000FF", "+00000010000000A000000FF",
		"000000010000000A000000FF\n", "000000010000000A000000FF\x00",
	} {
		if got, err := ParseName(in, 16<<20); !errors.Is(err, ErrName) || got != (Name{}) {
			t.Errorf("ParseName(%q) = %+v, %v; want %v", in, got, err, ErrName)
		}
	}
	for _, size := range []int64{-16 << 20, 0, 3 << 20, 2 << 30} {
		if got, err := ParseSegment("000000010000000A000000FF", size); err == nil {
			t.Errorf("segment of %d bytes: got %+v", size, got)
		}
	}
}

func TestZeroSegmentPrints(t *testing.T) {
	if got := (Segment{}).String(); got != "(no segment)" {
		t.Errorf("got %q", got)
	}
}

func TestKindsHaveNames(t *testing.T) {
	want := map[Kind]string{
		0:           "unknown",
		KindSegment: "segment",
		KindPartial: "partial segment",
		KindHistory: "history file",
		KindBackup:  "backup history file",
	}
	for k, want := range want {
		if got := k.String(); got != want {
			t.Errorf("kind %d: got %q, want %q", k, got, want)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{
		"000000010000000A000000FF", "000000010000000A000000FF.partial", "00000002.history",
		"000000010000000A000000FF.00000028.backup", "FFFFFFFFFFFFFFFF00000003", "RECOVERYXLOG",
	} {
		for _, shift := range []uint8{20, 24, 30} {
			f.Add(seed, shift)
		}
	}
	f.Fuzz(func(t *testing.T, s string, shift uint8) {
		name, err := ParseName(s, int64(1)<<(shift%64))
		if err == nil && name.String() != s {
			t.Errorf("%q parses to %+v, which prints %q", s, name, name)
		}
		if err != nil && name != (Name{}) {
			t.Errorf("%q: error %v beside %+v", s, err, name)
		}
	})
}
