package archive

import (
	"context"
	"fmt"

	"walarchive/archive/wal"
)

// absent says what the absence of the file means: ErrEnd, PostgreSQL may take
// it for the end of the archive; ErrHole, it must not. It lists, once; files
// that are there never cost a listing.
func (g *get) absent(ctx context.Context) error {
	seg := g.name.Segment
	if g.name.Kind == wal.KindHistory && seg.Timeline == 1 {
		return fmt.Errorf("%w: timeline 1 has no history", ErrEnd)
	}
	var after string
	if g.name.Kind != wal.KindHistory {
		after = walObject(g.inc.Number, g.name)
	}
	for info, err := range g.bucket.List(ctx, timelinePrefix(g.inc.Number, seg.Timeline), after) {
		if err != nil {
			return fmt.Errorf("whether the archive ends here cannot be told: %w", err)
		}
		s, ok := parseWALObject(info.Name, g.inc.SegmentSize)
		if !ok || s.Name.Kind == wal.KindBackup || s.Name.Kind == wal.KindHistory {
			continue
		}
		if g.name.Kind == wal.KindHistory || s.Name.Segment.No > seg.No {
			err := fmt.Errorf("%w: %v is", ErrHole, s.Name)
			return advise(err, "a recovery that stopped here would lose what follows: look for the file in pg_wal of the primary and its standbys and push it; see walarchive verify")
		}
	}
	return ErrEnd
}
