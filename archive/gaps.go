package archive

import (
	"context"
	"errors"

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
