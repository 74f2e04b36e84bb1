package archive

import (
	"context"
	"errors"
	"slices"
	"strings"

	"walarchive/archive/wal"
)

// survey is what a listing of the archive's WAL shows.
type survey struct {
	Incarnations []Incarnation
	Branches     []*branch // by incarnation, then by timeline
	Trees        map[int]*wal.Tree
	Quarantined  map[quarantineKey][]string // objects
	Damaged      []string                   // objects that repair moved away
	Unknown      []string                   // objects that nothing of ours put there
	Problems     []Problem
}

type quarantineKey struct {
	incarnation int
	name        wal.Name
}

// branch is one timeline's part of the archive.
type branch struct {
	Incarnation
	Timeline wal.Timeline
	Segments []listed // complete ones, in order of their numbers
	Partials []stored
	History  *wal.History // nil: not in the archive, or not readable
	Backups  []stored     // backup history files
	Bytes    int64        // of everything stored
}

// listed is a complete segment in a listing, and its sealed size.
type listed struct {
	No   wal.SegmentNo
	Size int64
}

// segment is the segment with the number no.
func (b *branch) segment(no wal.SegmentNo) wal.Segment {
	return wal.Segment{Timeline: b.Timeline, No: no, Size: b.SegmentSize}
}

// find is the position of a segment number in the listing, or where it would be.
func (b *branch) find(no wal.SegmentNo) (int, bool) {
	return slices.BinarySearchFunc(b.Segments, no, func(l listed, no wal.SegmentNo) int {
		switch {
		case l.No < no:
			return -1
		case l.No > no:
			return 1
		}
		return 0
	})
}

func (b *branch) has(no wal.SegmentNo) bool {
	_, ok := b.find(no)
	return ok
}

// survey lists the archive's WAL and reads its history files.
func (a *Archive) survey(ctx context.Context) (*survey, error) {
	s := &survey{Incarnations: a.Incarnations(), Trees: map[int]*wal.Tree{}, Quarantined: map[quarantineKey][]string{}}
	for _, inc := range s.Incarnations {
		s.Trees[inc.Number] = &wal.Tree{}
		if err := a.listIncarnation(ctx, s, inc); err != nil {
			return nil, err
		}
	}
	if err := a.readHistories(ctx, s); err != nil {
		return nil, err
	}
	return s, a.listSetAside(ctx, s)
}

func (a *Archive) listIncarnation(ctx context.Context, s *survey, inc Incarnation) error {
	branches := map[wal.Timeline]*branch{}
	for info, err := range a.bucket.List(ctx, incarnationPrefix(inc.Number), "") {
		if err != nil {
			return err
		}
		o, ok := parseWALObject(info.Name, inc.SegmentSize)
		if !ok {
			s.Unknown = append(s.Unknown, info.Name)
			continue
		}
		b := branches[o.Name.Segment.Timeline]
		if b == nil {
			b = &branch{Incarnation: inc, Timeline: o.Name.Segment.Timeline}
			branches[b.Timeline] = b
			s.Branches = append(s.Branches, b)
		}
		b.add(o, info.Size)
	}
	return nil
}

func (b *branch) add(o stored, size int64) {
	b.Bytes += size
	switch o.Name.Kind {
	case wal.KindSegment:
		b.Segments = append(b.Segments, listed{o.Name.Segment.No, size})
	case wal.KindPartial:
		b.Partials = append(b.Partials, o)
	case wal.KindBackup:
		b.Backups = append(b.Backups, o)
	case wal.KindHistory:
		b.History = &wal.History{Timeline: b.Timeline} // read later
	}
}

// readHistories replaces the placeholders by what the history files say.
func (a *Archive) readHistories(ctx context.Context, s *survey) error {
	for _, b := range s.Branches {
		var h *wal.History
		err := error(nil)
		if b.History != nil {
			h, err = a.storedHistory(ctx, b.Incarnation, b.Timeline)
		}
		if damage := errors.Is(err, ErrDamaged) || errors.Is(err, wal.ErrHistory); damage {
			s.problem(ProblemDamaged, b.historyObject(), err.Error())
		} else if err != nil {
			return err
		}
		b.History = h
		if h == nil && b.Timeline == 1 {
			h = &wal.History{Timeline: 1}
		}
		if h == nil {
			continue
		}
		if err := s.Trees[b.Number].Add(*h); err != nil {
			s.problem(ProblemTimelines, b.historyObject(), err.Error())
		}
	}
	return nil
}

func (b *branch) historyObject() string {
	return walObject(b.Number, wal.Name{Kind: wal.KindHistory, Segment: b.segment(0)})
}

// listSetAside lists what lies under quarantine and under damaged/.
func (a *Archive) listSetAside(ctx context.Context, s *survey) error {
	for info, err := range a.bucket.List(ctx, quarantinePrefix, "") {
		if err != nil {
			return err
		}
		known := false
		for _, inc := range s.Incarnations {
			if name, ok := parseQuarantine(info.Name, inc); ok {
				k := quarantineKey{inc.Number, name}
				s.Quarantined[k], known = append(s.Quarantined[k], info.Name), true
			}
		}
		if !known {
			s.Unknown = append(s.Unknown, info.Name)
		}
	}
	for info, err := range a.bucket.List(ctx, damagedPrefix, "") {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(info.Name, ".record") {
			s.Damaged = append(s.Damaged, info.Name)
		}
	}
	return nil
}

func (s *survey) problem(kind ProblemKind, object, detail string) {
	s.Problems = append(s.Problems, Problem{Kind: kind, Object: object, Detail: detail})
}

// quarantined reports whether a segment's bytes lie under quarantine.
func (s *survey) quarantined(inc int, seg wal.Segment) bool {
	return len(s.Quarantined[quarantineKey{inc, wal.Name{Kind: wal.KindSegment, Segment: seg}}]) > 0
}

// branch finds a timeline's part; nil if there is none.
func (s *survey) branch(inc int, t wal.Timeline) *branch {
	for _, b := range s.Branches {
		if b.Number == inc && b.Timeline == t {
			return b
		}
	}
	return nil
}
