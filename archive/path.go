package archive

import (
	"fmt"

	"walarchive/archive/wal"
)

// need is the run of segments of a branch that a recovery could ask for.
type need struct{ first, last wal.SegmentNo }

// needs says which segments of b must be there, false if none. A timeline that
// others left needs its segments up to the one with the last fork: what lies
// behind is a dead branch, and the fork's own segment is the child's. A child
// needs that one and all that follow, if WAL before it is in the archive too;
// otherwise the archive begins in the child. A timeline without any WAL is
// needed only between one before and one behind it that have some.
func (s *survey) needs(b *branch) (need, bool) {
	n := need{}
	switch {
	case s.hasBefore(b):
		n.first = wal.SegmentAt(b.Timeline, s.path(b).Begin(), b.SegmentSize).No
	case len(b.Segments) > 0:
		n.first = b.Segments[0]
	default:
		return need{}, false
	}
	fork, forked := s.lastFork(b)
	switch {
	case len(b.Segments) == 0 && !s.hasBehind(b), forked && fork <= n.first:
		return need{}, false
	case forked:
		n.last = fork - 1
	case len(b.Segments) > 0:
		n.last = b.Segments[len(b.Segments)-1]
	}
	return n, n.first <= n.last
}

// path is how replay comes to b, as far as history files tell.
func (s *survey) path(b *branch) wal.History {
	if h, ok := s.Trees[b.Number].Path(b.Timeline); ok {
		return h
	}
	return wal.History{Timeline: b.Timeline}
}

// hasBefore reports whether the archive has WAL that leads to b.
func (s *survey) hasBefore(b *branch) bool {
	for _, e := range s.path(b).Entries {
		a := s.branch(b.Number, e.Parent)
		if a != nil && len(a.Segments) > 0 && a.Segments[0] < wal.SegmentAt(e.Parent, e.Switch, b.SegmentSize).No {
			return true
		}
	}
	return false
}

// hasBehind reports whether the archive has WAL of a descendant of b.
func (s *survey) hasBehind(b *branch) bool {
	for _, d := range s.Branches {
		if d.Number == b.Number && d != b && len(d.Segments) > 0 && s.path(d).Contains(b.Timeline) {
			return true
		}
	}
	return false
}

// lastFork is the segment of b in which its last child began.
func (s *survey) lastFork(b *branch) (wal.SegmentNo, bool) {
	children := s.Trees[b.Number].Children(b.Timeline)
	if len(children) == 0 {
		return 0, false
	}
	return wal.SegmentAt(b.Timeline, children[len(children)-1].Begin, b.SegmentSize).No, true
}

// before is the segment that WAL of b continues at number no, if the archive
// has it: on b's timeline or, at b's fork, on an ancestor.
func (s *survey) before(b *branch, no wal.SegmentNo) (wal.Segment, bool) {
	if no == 0 {
		return wal.Segment{}, false
	}
	if b.has(no - 1) {
		return b.segment(no - 1), true
	}
	h := s.path(b)
	if h.Parent() == 0 || wal.SegmentAt(b.Timeline, h.Begin(), b.SegmentSize).No != no {
		return wal.Segment{}, false
	}
	a := s.branch(b.Number, h.TimelineAt(b.segment(no).Start()-1))
	if a == nil || !a.has(no-1) {
		return wal.Segment{}, false
	}
	return a.segment(no - 1), true
}

// missingHistories finds the history files that a recovery needs and the
// archive does not have: of every timeline above the lowest with WAL, and of
// that too unless it is the first. PostgreSQL looks for timelines by counting
// up and stops at the first that has none.
func (s *survey) missingHistories(inc Incarnation) {
	var next wal.Timeline // that must have one
	for _, b := range s.Branches {
		if b.Number != inc.Number || next == 0 && !b.holdsWAL() {
			continue
		}
		if next == 0 {
			next = max(2, b.Timeline)
		}
		if b.Timeline > next {
			s.missingHistory(inc, next, b.Timeline-1)
		}
		if b.Timeline >= next && !b.HasHistory {
			s.missingHistory(inc, b.Timeline, b.Timeline)
		}
		next = max(next, b.Timeline+1)
	}
}

func (s *survey) missingHistory(inc Incarnation, first, last wal.Timeline) {
	what := fmt.Sprintf("the history of timeline %v is missing", first)
	if first != last {
		what = fmt.Sprintf("the histories of timelines %v to %v are missing", first, last)
	}
	s.problem(ProblemHistory, walObject(inc.Number, historyName(inc, first)), what+": no recovery finds its way into it or behind it")
}
