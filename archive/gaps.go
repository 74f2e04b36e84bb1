package archive

import (
	"context"
	"errors"
	"fmt"
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

// covers reports whether the whole gap lies in r.
func (r SegmentRange) covers(g Gap) bool { return r.First <= g.First && g.Last <= r.Last }

// need is the run of segments of a branch that a recovery could ask for.
type need struct{ first, last wal.SegmentNo }

// needs says which segments of b must be there, false if none. A timeline that
// others left needs its segments up to the one with the last fork: what lies
// behind is a dead branch. A child needs that one itself and all that follow, if
// WAL of its parent before it is in the archive too; otherwise the archive
// begins in the child.
func (s *survey) needs(b *branch) (need, bool) {
	if len(b.Segments) == 0 {
		return need{}, false
	}
	n := need{b.Segments[0].No, b.Segments[len(b.Segments)-1].No}
	if h := b.History; h != nil && h.Parent() != 0 {
		fork := wal.SegmentAt(b.Timeline, h.Begin(), b.SegmentSize).No
		parent := s.branch(b.Number, h.Parent())
		if parent != nil && len(parent.Segments) > 0 && parent.Segments[0].No < fork {
			n.first = fork
		}
	}
	children := s.Trees[b.Number].Children(b.Timeline)
	if len(children) == 0 {
		return n, true
	}
	behind := wal.SegmentNo(0)
	for _, c := range children {
		behind = max(behind, wal.SegmentAt(b.Timeline, c.Begin, b.SegmentSize).No)
	}
	if behind <= n.first {
		return need{}, false
	}
	n.last = behind - 1
	return n, true
}

// gaps lists the runs of n that b does not have.
func (b *branch) gaps(n need) []Gap {
	var gs []Gap
	i, _ := b.find(n.first)
	for no := n.first; no <= n.last; no++ {
		if i < len(b.Segments) && b.Segments[i].No == no {
			i++
			continue
		}
		end := n.last
		if i < len(b.Segments) {
			end = min(end, b.Segments[i].No-1)
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

// accept says why a gap is no problem, "" if it is one: the operator listed
// it, or all its segments lie under quarantine.
func (s *survey) accept(g Gap, accepted []SegmentRange) string {
	for _, r := range accepted {
		if r.covers(g) {
			return "accepted by the configuration"
		}
	}
	for seg := g.first; seg.No <= g.last.No; seg = seg.Next() {
		if !s.quarantined(g.Incarnation, seg) {
			return ""
		}
	}
	return "under quarantine"
}
