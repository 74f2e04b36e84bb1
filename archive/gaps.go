package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"walarchive/archive/wal"
	"walarchive/storage"
)

// Gap is a run of segments of one timeline that a recovery needs and the
// archive does not have. It prints as first..last.
type Gap struct {
	Incarnation int    `json:"incarnation"`
	First       string `json:"first"`
	Last        string `json:"last"`
	Segments    int64  `json:"segments"`
	Accepted    string `json:"accepted,omitempty"` // why it is no problem

	first, last wal.Segment
}

func (g Gap) String() string {
	if g.First == g.Last {
		return g.First
	}
	return g.First + ".." + g.Last
}

func newGap(inc int, first, last wal.Segment) Gap {
	return Gap{
		Incarnation: inc, First: first.String(), Last: last.String(),
		Segments: int64(last.No-first.No) + 1, first: first, last: last,
	}
}

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

// gaps lists the runs of n that b does not have.
func (b *branch) gaps(n need) []Gap {
	var gs []Gap
	i, _ := b.find(n.first)
	for no := n.first; no <= n.last; no++ {
		if i < len(b.Segments) && b.Segments[i] == no {
			i++
			continue
		}
		end := n.last
		if i < len(b.Segments) {
			end = min(end, b.Segments[i]-1)
		}
		gs = append(gs, newGap(b.Number, b.segment(no), b.segment(end)))
		no = end
	}
	return gs
}

// confirmTries bounds how many missing names are asked for once more.
const confirmTries = 1000

// confirm asks the store for the segments of a gap once more: an archiver may
// have stored them while the listing went on. It gives what remains missing.
func (a *Archive) confirm(ctx context.Context, g Gap) ([]Gap, error) {
	var rest []Gap
	tries := 0
	for seg := g.first; seg.No <= g.last.No; seg = seg.Next() {
		if tries++; tries > confirmTries {
			return append(rest, newGap(g.Incarnation, seg, g.last)), nil
		}
		_, err := a.bucket.Stat(ctx, walObject(g.Incarnation, wal.Name{Kind: wal.KindSegment, Segment: seg}))
		switch n := len(rest); {
		case err == nil:
		case !errors.Is(err, storage.ErrNotExist):
			return nil, err
		case n > 0 && rest[n-1].last.No+1 == seg.No:
			rest[n-1] = newGap(g.Incarnation, rest[n-1].first, seg)
		default:
			rest = append(rest, newGap(g.Incarnation, seg, seg))
		}
	}
	return rest, nil
}

// split cuts a gap into what is accepted, because the operator listed it or
// because it lies under quarantine, and what is not.
func (s *survey) split(g Gap, accepted []acceptedRange) []Gap {
	var parts []Gap
	next := g.first
	for _, a := range s.acceptedIn(g, accepted) {
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
func (s *survey) acceptedIn(g Gap, accepted []acceptedRange) []Gap {
	var in []Gap
	for _, r := range accepted {
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
