package archive

import (
	"cmp"
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
	accepted     []acceptedRange // gaps that the operator accepts
}

type quarantineKey struct {
	incarnation int
	name        wal.Name
}

// branch is one timeline's part of the archive. It can be empty: a history of
// a later timeline names it.
type branch struct {
	Incarnation
	Timeline   wal.Timeline
	Segments   []wal.SegmentNo            // complete ones, rising
	Copies     map[wal.SegmentNo][]string // objects of segments that nodes have copies of
	Partials   []stored
	Backups    []stored     // backup history files
	HasHistory bool         // its history file is listed
	History    *wal.History // nil: not in the archive, or not readable
	Bytes      int64        // of everything stored
}

// segment is the segment with the number no.
func (b *branch) segment(no wal.SegmentNo) wal.Segment {
	return wal.Segment{Timeline: b.Timeline, No: no, Size: b.SegmentSize}
}

// find is the position of a segment number in the listing, or where it would be.
func (b *branch) find(no wal.SegmentNo) (int, bool) { return slices.BinarySearch(b.Segments, no) }

func (b *branch) has(no wal.SegmentNo) bool {
	_, ok := b.find(no)
	return ok
}

func (b *branch) holdsWAL() bool { return len(b.Segments)+len(b.Partials) > 0 }

// survey lists the archive's WAL and reads its history files.
func (a *Archive) survey(ctx context.Context) (*survey, error) {
	s := &survey{Incarnations: a.Incarnations(), Trees: map[int]*wal.Tree{}, Quarantined: map[quarantineKey][]string{}}
	for _, inc := range s.Incarnations {
		s.Trees[inc.Number] = &wal.Tree{}
	}
	if err := a.listWAL(ctx, s); err != nil {
		return nil, err
	}
	if err := a.readHistories(ctx, s); err != nil {
		return nil, err
	}
	for _, inc := range s.Incarnations {
		for _, t := range s.Trees[inc.Number].Timelines() {
			s.makeBranch(inc, t)
		}
	}
	return s, a.listSetAside(ctx, s)
}

func (a *Archive) listWAL(ctx context.Context, s *survey) error {
	for info, err := range a.bucket.List(ctx, walPrefix, "") {
		if err != nil {
			return err
		}
		inc, known := s.incarnationOf(info.Name)
		o, ok := parseWALObject(info.Name, inc.SegmentSize)
		if !known || !ok {
			s.Unknown = append(s.Unknown, info.Name)
			continue
		}
		s.makeBranch(inc, o.Name.Segment.Timeline).add(o, info.Size)
	}
	return nil
}

func (s *survey) incarnationOf(object string) (Incarnation, bool) {
	for _, inc := range s.Incarnations {
		if strings.HasPrefix(object, incarnationPrefix(inc.Number)) {
			return inc, true
		}
	}
	return Incarnation{}, false
}

func (b *branch) add(o stored, size int64) {
	b.Bytes += size
	switch o.Name.Kind {
	case wal.KindSegment:
		b.addSegment(o)
	case wal.KindPartial:
		b.Partials = append(b.Partials, o)
	case wal.KindBackup:
		b.Backups = append(b.Backups, o)
	case wal.KindHistory:
		b.HasHistory = true
	}
}

// addSegment takes a segment's object or a node's copy, in the order of the
// listing: the object itself comes first.
func (b *branch) addSegment(o stored) {
	no := o.Name.Segment.No
	listed := len(b.Segments) > 0 && b.Segments[len(b.Segments)-1] == no
	if !listed {
		b.Segments = append(b.Segments, no)
	}
	if o.Node == "" {
		return
	}
	if b.Copies == nil {
		b.Copies = map[wal.SegmentNo][]string{}
	}
	if listed && len(b.Copies[no]) == 0 {
		b.Copies[no] = []string{segmentObject(b.Number, o.Name.Segment)}
	}
	b.Copies[no] = append(b.Copies[no], o.Object)
}

// objects are those in which segment no is stored.
func (b *branch) objects(no wal.SegmentNo) []string {
	if all := b.Copies[no]; len(all) > 0 {
		return all
	}
	return []string{segmentObject(b.Number, b.segment(no))}
}

// readHistories reads the history files that are listed.
func (a *Archive) readHistories(ctx context.Context, s *survey) error {
	for _, b := range s.Branches {
		if !b.HasHistory {
			continue
		}
		h, err := a.storedHistory(ctx, b.Incarnation, b.Timeline)
		if errors.Is(err, ErrDamaged) || errors.Is(err, wal.ErrHistory) {
			s.problem(ProblemDamaged, b.historyObject(), err.Error())
			continue
		}
		if err != nil {
			return err
		}
		if b.History, b.HasHistory = h, h != nil; h == nil {
			continue // it went away
		}
		if err := s.Trees[b.Number].Add(*h); err != nil {
			s.problem(ProblemTimelines, b.historyObject(), err.Error())
		}
	}
	return nil
}

func (b *branch) historyObject() string {
	return walObject(b.Number, historyName(b.Incarnation, b.Timeline))
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

// branch finds a timeline's part; nil if there is none.
func (s *survey) branch(inc int, t wal.Timeline) *branch {
	if i, ok := s.find(inc, t); ok {
		return s.Branches[i]
	}
	return nil
}

// makeBranch finds a timeline's part, an empty new one if there is none.
func (s *survey) makeBranch(inc Incarnation, t wal.Timeline) *branch {
	i, ok := s.find(inc.Number, t)
	if !ok {
		s.Branches = slices.Insert(s.Branches, i, &branch{Incarnation: inc, Timeline: t})
	}
	return s.Branches[i]
}

func (s *survey) find(inc int, t wal.Timeline) (int, bool) {
	return slices.BinarySearchFunc(s.Branches, t, func(b *branch, t wal.Timeline) int {
		return cmp.Or(cmp.Compare(b.Number, inc), cmp.Compare(b.Timeline, t))
	})
}
