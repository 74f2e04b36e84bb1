package tde

import (
	"cmp"
	"fmt"
	"slices"

	"walarchive/archive/wal"
)

// Range is a stretch of WAL under one entry, from Start up to but without End.
// Locations compare by timeline first, so a range that begins on timeline 1
// and ends on timeline 3 covers all of timeline 2.
type Range struct {
	Entry int          `json:"entry"`
	Type  RangeType    `json:"type"`
	Start wal.Location `json:"start"`
	End   wal.Location `json:"end"`
}

// Span is the piece of a segment that lies in one range: offsets From up to
// but without To, in bytes.
type Span struct {
	Entry int       `json:"entry"`
	Type  RangeType `json:"type"`
	From  int64     `json:"from"`
	To    int64     `json:"to"`
}

// in is the piece of seg that lies in r; an empty one has From >= To.
func (r Range) in(seg wal.Segment) Span {
	return Span{r.Entry, r.Type, offsetIn(seg, r.Start), offsetIn(seg, r.End)}
}

// offsetIn is the offset in seg of location l: 0 if l lies before the
// segment, the segment's size if it lies behind.
func offsetIn(seg wal.Segment, l wal.Location) int64 {
	switch {
	case l.Compare(wal.Location{Timeline: seg.Timeline, LSN: seg.Start()}) <= 0:
		return 0
	case l.Timeline > seg.Timeline:
		return seg.Size
	}
	return int64(min(uint64(l.LSN-seg.Start()), uint64(seg.Size)))
}

// Cover lists the pieces of seg that lie in ranges, by offset; what no range
// covers is plaintext. Ranges that overlap in seg give ErrOverlap: there
// pg_tde does not read back what it wrote.
func Cover(ranges []Range, seg wal.Segment) ([]Span, error) {
	var spans []Span
	for _, r := range ranges {
		if s := r.in(seg); s.From < s.To {
			spans = append(spans, s)
		}
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	for i := 1; i < len(spans); i++ {
		if a, b := spans[i-1], spans[i]; a.To > b.From {
			return nil, overlapError(seg, a, b)
		}
	}
	return spans, nil
}

func overlapError(seg wal.Segment, a, b Span) error {
	return hint(fmt.Errorf("entries %d and %d of wal_keys both cover %v: %w",
		min(a.Entry, b.Entry), max(a.Entry, b.Entry),
		wal.Location{Timeline: seg.Timeline, LSN: seg.Start() + wal.LSN(b.From)}, ErrOverlap),
		"the server itself cannot read this WAL back; take a new base backup and keep this segment as it is")
}
