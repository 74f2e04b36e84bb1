package tde

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"walarchive/archive/wal"
)

// entriesAt are entries of the given starts, in file order.
func entriesAt(starts ...wal.Location) []Entry {
	var es []Entry
	for i, s := range starts {
		es = append(es, Entry{Number: i, Type: Encrypted, Start: s})
	}
	return es
}

func at(t wal.Timeline, l wal.LSN) wal.Location { return wal.Location{Timeline: t, LSN: l} }

func TestRanges(t *testing.T) {
	es := entriesAt(at(1, 10), at(0, 0), at(1, 20), at(1, 0), at(2, 5))
	es = append(es, Entry{Number: 5, Type: Superseded, Start: at(2, 6)}, Entry{Number: 6, Type: Unencrypted, Start: at(2, 7)})
	got := (&KeyFile{Entries: es}).Ranges()
	want := []Range{
		{0, Encrypted, at(1, 10), at(1, 20)},
		{2, Encrypted, at(1, 20), at(2, 5)},
		{4, Encrypted, at(2, 5), at(2, 7)},
		{6, Unencrypted, at(2, 7), at(0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCover(t *testing.T) {
	const mib = 1 << 20
	seg := func(t wal.Timeline, no wal.SegmentNo) wal.Segment { return wal.Segment{Timeline: t, No: no, Size: mib} }
	tests := []struct {
		name   string
		starts []wal.Location
		seg    wal.Segment
		want   []Span
		err    string // contained in the refusal
	}{
		{name: "no ranges", seg: seg(1, 3)},
		{name: "before the first", starts: []wal.Location{at(1, 4*mib)}, seg: seg(1, 3)},
		{name: "from its first byte", starts: []wal.Location{at(1, 3*mib)}, seg: seg(1, 3), want: []Span{{0, Encrypted, 0, mib}}},
		{name: "from inside a page", starts: []wal.Location{at(1, 3*mib+101400)}, seg: seg(1, 3), want: []Span{{0, Encrypted, 101400, mib}}},
		{name: "its last byte", starts: []wal.Location{at(1, 4*mib-1)}, seg: seg(1, 3), want: []Span{{0, Encrypted, mib - 1, mib}}},
		{
			name: "several", starts: []wal.Location{at(1, 1), at(1, 3*mib+5), at(1, 3*mib+7), at(1, 3*mib+7)}, seg: seg(1, 3),
			want: []Span{{0, Encrypted, 0, 5}, {1, Encrypted, 5, 7}, {3, Encrypted, 7, mib}},
		},
		{
			name: "a range over a whole timeline, whatever the LSN", starts: []wal.Location{at(1, 0x3000000), at(3, 0x9000000)}, seg: seg(2, 1),
			want: []Span{{0, Encrypted, 0, mib}},
		},
		{
			name: "an end on a later timeline, at an LSN in the segment", starts: []wal.Location{at(1, 1), at(3, 1*mib+16)}, seg: seg(2, 1),
			want: []Span{{0, Encrypted, 0, mib}},
		},
		{name: "on its first timeline from its start", starts: []wal.Location{at(1, 0x3000000), at(3, 0x9000000)}, seg: seg(1, 1)},
		{
			name: "on its last timeline up to its end", starts: []wal.Location{at(1, 0x3000000), at(3, 0x9000010)}, seg: seg(3, 0x90),
			want: []Span{{0, Encrypted, 0, 16}, {1, Encrypted, 16, mib}},
		},
		{
			name: "timeline beyond the last entry", starts: []wal.Location{at(1, 0x3000000)}, seg: seg(0xFFFFFFFE, 0xFFFFFFFFFFF),
			want: []Span{{0, Encrypted, 0, mib}},
		},
		{
			name: "overlap in the segment", starts: []wal.Location{at(1, 1*mib), at(1, 9*mib), at(1, 5*mib)}, seg: seg(1, 6),
			err: "entries 0 and 2 of wal_keys both cover timeline 1 at 0/600000",
		},
		{
			name: "overlap before the segment", starts: []wal.Location{at(1, 1*mib), at(1, 9*mib), at(1, 5*mib)}, seg: seg(1, 9),
			want: []Span{{2, Encrypted, 0, mib}},
		},
		{
			name: "overlap behind the segment", starts: []wal.Location{at(1, 1*mib), at(1, 9*mib), at(1, 5*mib)}, seg: seg(1, 4),
			want: []Span{{0, Encrypted, 0, mib}},
		},
		{
			name: "overlap of ranges that are not neighbours", starts: []wal.Location{at(1, 1*mib), at(1, 9*mib), at(1, 8*mib), at(1, 5*mib)}, seg: seg(1, 5),
			err: "entries 0 and 3 of",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Cover((&KeyFile{Entries: entriesAt(tt.starts...)}).Ranges(), tt.seg)
			if tt.err != "" {
				if !errors.Is(err, ErrOverlap) || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, %v; want %v: %q", got, err, ErrOverlap, tt.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}
