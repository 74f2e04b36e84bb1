package archive

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"walarchive/archive/wal"
)

// SegmentRange is a run of segments by their names, both ends included. It
// prints as first..last.
type SegmentRange struct{ First, Last string }

// ParseSegmentRange reads SEG or SEG..SEG. Whether they are names of the
// archive's segments shows when they are used.
func ParseSegmentRange(s string) (SegmentRange, error) {
	first, last, ok := strings.Cut(s, "..")
	if !ok {
		last = first
	}
	if len(first) != 24 || len(last) != 24 || first > last || first[:8] != last[:8] {
		return SegmentRange{}, fmt.Errorf("%q is not SEGMENT or FIRST..LAST of one timeline", s)
	}
	return SegmentRange{first, last}, nil
}

func (r SegmentRange) String() string { return r.First + ".." + r.Last }

// accept takes the operator's ranges over, each for every incarnation with such
// segments: it stays in the configuration when the next one has others.
func (s *survey) accept(ranges []SegmentRange) error {
	for _, r := range ranges {
		var failed error
		known := len(s.accepted)
		for _, inc := range s.Incarnations {
			a, err := r.segments(inc.SegmentSize)
			if err != nil {
				failed = err
				continue
			}
			s.accepted = append(s.accepted, a)
		}
		if len(s.accepted) == known {
			return fmt.Errorf("accepted gap %v: %w", r, failed)
		}
	}
	return nil
}

// split cuts a gap into what is accepted, because the operator listed it or
// because it lies under quarantine, and what is not.
func (s *survey) split(g Gap) []Gap {
	var parts []Gap
	next := g.first
	for _, a := range s.acceptedIn(g) {
		if a.last.No < next.No {
			continue
		}
		if a.first.No > next.No {
			end := a.first
			end.No--
			parts = append(parts, newGap(g.Incarnation, next, end))
		} else {
			a = newAccepted(g.Incarnation, next, a.last, a.Accepted)
		}
		parts = append(parts, a)
		next = a.last.Next()
	}
	if next.No <= g.last.No {
		parts = append(parts, newGap(g.Incarnation, next, g.last))
	}
	return parts
}

// acceptedIn lists the accepted parts of a gap by their beginnings. They can
// overlap.
func (s *survey) acceptedIn(g Gap) []Gap {
	var in []Gap
	for _, r := range s.accepted {
		first, last := max(r.first.No, g.first.No), min(r.last.No, g.last.No)
		if r.first.Timeline == g.first.Timeline && r.first.Size == g.first.Size && first <= last {
			in = append(in, newAccepted(g.Incarnation, numbered(g.first, first), numbered(g.first, last), "accepted by the configuration"))
		}
	}
	for k := range s.Quarantined {
		seg := k.name.Segment
		if k.incarnation == g.Incarnation && k.name.Kind == wal.KindSegment && seg.Timeline == g.first.Timeline && g.first.No <= seg.No && seg.No <= g.last.No {
			in = append(in, newAccepted(g.Incarnation, seg, seg, "under quarantine"))
		}
	}
	slices.SortFunc(in, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.first.No, b.first.No), strings.Compare(a.Accepted, b.Accepted))
	})
	return in
}

// acceptedRange is a SegmentRange taken apart.
type acceptedRange struct{ first, last wal.Segment }

func (r SegmentRange) segments(size int64) (acceptedRange, error) {
	first, err := wal.ParseSegment(r.First, size)
	if err != nil {
		return acceptedRange{}, err
	}
	last, err := wal.ParseSegment(r.Last, size)
	return acceptedRange{first, last}, err
}

func newAccepted(inc int, first, last wal.Segment, why string) Gap {
	g := newGap(inc, first, last)
	g.Accepted = why
	return g
}

func numbered(seg wal.Segment, no wal.SegmentNo) wal.Segment { seg.No = no; return seg }
