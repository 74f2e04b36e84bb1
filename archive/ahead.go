package archive

import "walarchive/archive/wal"

// next names the objects of the n segments that a recovery asks for after this
// one. Where a timeline was left, PostgreSQL asks for the child's segment first
// (XLogFileReadAnyTLI).
func (g *get) next(n int) []string {
	if n <= 0 || !g.recovering() || g.name.Kind != wal.KindSegment {
		return nil
	}
	own := g.name.Segment
	objects := make([]string, 0, n)
	for seg := own.Next(); len(objects) < n; seg = seg.Next() {
		if g.followed.Contains(own.Timeline) {
			seg.Timeline = max(own.Timeline, g.followed.TimelineAt(seg.End()-1))
		}
		objects = append(objects, walObject(g.inc.Number, wal.Name{Kind: wal.KindSegment, Segment: seg}))
	}
	return objects
}
