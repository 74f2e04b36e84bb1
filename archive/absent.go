package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"walarchive/archive/wal"
	"walarchive/storage"
)

// errNotStored: the bucket said that it has no such object.
var errNotStored = errors.New("not stored")

// errOnlyCopies: what is there of a segment are nodes' copies beside its place.
var errOnlyCopies = fmt.Errorf("%w: no object of its name, only copies of other nodes", ErrHole)

// notStored reports whether err is the bucket's word that object is not there.
// A key file or directory that is missing gives fs.ErrNotExist too, and must
// never pass for the end of the archive.
func notStored(err error, object string) bool {
	var e *storage.Error
	return errors.As(err, &e) && errors.Is(e.Err, storage.ErrNotExist) && strings.HasSuffix(e.Name, object)
}

// absent says what the absence of the file means: ErrEnd, PostgreSQL may take
// it for the end of the archive; ErrHole, it must not, for WAL that comes later
// is there, on the file's own timeline or further on along those that the
// server follows. Each of these is listed once; files that are there never cost
// a listing.
func (g *get) absent(ctx context.Context) error {
	switch {
	case g.name.Kind == wal.KindHistory && g.name.Segment.Timeline == 1:
		return fmt.Errorf("%w: timeline 1 has no history", ErrEnd)
	case g.name.Kind == wal.KindBackup:
		return fmt.Errorf("%w: no replay needs it", ErrEnd)
	}
	for _, t := range g.onwards() {
		later, err := g.later(ctx, t)
		if err != nil {
			return fmt.Errorf("whether the archive ends here cannot be told: %w", err)
		}
		if later != nil && later.Name == g.name {
			return errOnlyCopies
		}
		if later != nil {
			err := fmt.Errorf("%w: %v is", ErrHole, later.Name)
			return advise(err, "a recovery that stopped here would lose what follows: look for the file in pg_wal of the primary and its standbys and push it; see walarchive verify")
		}
	}
	return ErrEnd
}

// onwards lists the timelines that replay goes through from the file's on.
func (g *get) onwards() []wal.Timeline {
	own := g.name.Segment.Timeline
	all := []wal.Timeline{own}
	if !g.followed.Contains(own) {
		return all
	}
	for _, t := range append(g.followed.Ancestors(), g.followed.Timeline) {
		if t > own {
			all = append(all, t)
		}
	}
	return all
}

// later finds a segment of timeline t that comes after the file in the WAL that
// the server follows, or a node's copy of the file itself; nil if there is none.
// Any segment comes after a history.
func (g *get) later(ctx context.Context, t wal.Timeline) (*stored, error) {
	seg := g.name.Segment.On(t)
	after := ""
	if g.name.Kind != wal.KindHistory {
		after = walObject(g.inc.Number, wal.Name{Kind: wal.KindSegment, Segment: seg})
	}
	left, forked := g.followed.SwitchOf(t)
	for info, err := range g.bucket.List(ctx, timelinePrefix(g.inc.Number, t), after) {
		if err != nil {
			return nil, err
		}
		s, ok := parseWALObject(info.Name, g.inc.SegmentSize)
		if !ok || s.Name.Kind == wal.KindBackup || s.Name.Kind == wal.KindHistory {
			continue
		}
		if forked && s.Name.Segment.Start() >= left {
			return nil, nil // a dead branch, and so is all behind it
		}
		if g.name.Kind == wal.KindHistory || s.Name.Segment.No > seg.No || s.Node != "" && s.Name == g.name {
			return &s, nil
		}
	}
	return nil, nil
}
