package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
)

// heldSegment is a segment that is there, in whole or part.
type heldSegment struct {
	name    wal.Name
	objects []string
}

// along are the segments that are there for a replay along path, by their
// numbers.
func (s *survey) along(inc Incarnation, path wal.History) []heldSegment {
	var all []heldSegment
	for _, t := range append(path.Ancestors(), path.Timeline) {
		b := s.branch(inc.Number, t)
		if b == nil {
			continue
		}
		here := b.held()
		if at, left := path.SwitchOf(t); left {
			here = slices.DeleteFunc(here, func(h heldSegment) bool { return h.name.Segment.Start() >= at })
		}
		all = append(all, here...)
	}
	slices.SortStableFunc(all, func(a, b heldSegment) int { return cmp.Compare(a.name.Segment.No, b.name.Segment.No) })
	return all
}

func (b *branch) held() []heldSegment {
	var all []heldSegment
	for _, no := range b.Segments {
		all = append(all, heldSegment{wal.Name{Kind: wal.KindSegment, Segment: b.segment(no)}, b.objects(no)})
	}
	for _, p := range b.Partials {
		all = append(all, heldSegment{p.Name, []string{p.Object}})
	}
	return all
}

// gaps says where WAL of the stretch is not in the archive: nobody knows what
// records are in it. held is what is there.
func (r *keyReplay) gaps(held []heldSegment, inc Incarnation) {
	next, last := segmentNo(r.From, inc), segmentNo(r.To, inc)
	gap := func(end wal.SegmentNo) {
		if end > next {
			r.Unknown = append(r.Unknown, fmt.Sprintf("WAL from %v to %v is not in the archive: records in it are not known", startOf(next, inc), startOf(end, inc)))
		}
	}
	for _, h := range held {
		if no := h.name.Segment.No; no >= next && no <= last {
			gap(no)
			next = no + 1
		}
	}
	gap(last + 1)
}

func segmentNo(at wal.LSN, inc Incarnation) wal.SegmentNo {
	return wal.SegmentAt(0, at, inc.SegmentSize).No
}

func startOf(no wal.SegmentNo, inc Incarnation) wal.LSN {
	return wal.Segment{No: no, Size: inc.SegmentSize}.Start()
}

// preservedKeys adds the keys without which preserved segments of the stretch
// cannot be opened at all: the facts of each name its own. What records they
// have is not known.
func (a *Archive) preservedKeys(ctx context.Context, r *keyReplay, held []heldSegment) error {
	var mu sync.Mutex
	var found []NeededKey
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16) // they wait for the store
	for _, h := range held {
		seg := h.name.Segment
		if seg.End() <= r.From || seg.Start() > r.To {
			continue
		}
		g.Go(func() error {
			keys, err := a.keysOf(ctx, h)
			mu.Lock()
			defer mu.Unlock()
			found = append(found, keys...)
			return err
		})
	}
	if err := g.Wait(); err != nil || len(found) == 0 {
		return err
	}
	slices.SortFunc(found, func(a, b NeededKey) int {
		return cmp.Or(cmp.Compare(a.At.LSN, b.At.LSN), cmp.Compare(a.Key, b.Key))
	})
	for _, k := range found {
		r.need(k)
	}
	r.Unknown = append(r.Unknown, fmt.Sprintf("%d segments are preserved as their server encrypted them, the first at %v: records in them are not known", len(found), found[0].At))
	return nil
}

// keysOf are the keys that the copies of a preserved segment are encrypted
// under; none if it is not preserved.
func (a *Archive) keysOf(ctx context.Context, h heldSegment) ([]NeededKey, error) {
	var keys []NeededKey
	for _, object := range h.objects {
		f, err := a.facts(ctx, objectKind(h.name), object)
		if err != nil {
			return nil, err
		}
		if f.TDE == nil {
			continue
		}
		k, err := f.excerptKey()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		k.At = wal.Location{Timeline: h.name.Segment.Timeline, LSN: h.name.Segment.Start()}
		keys = append(keys, k)
	}
	return keys, nil
}

// excerptKey is the key that a preserved segment is encrypted under.
func (f *Facts) excerptKey() (NeededKey, error) {
	snapshot, err := f.TDE.Snapshot()
	if err != nil {
		return NeededKey{}, err
	}
	var replay tde.Replay
	uses, err := replay.Snapshot(f.Host, snapshot)
	if err != nil {
		return NeededKey{}, err
	}
	k := newNeeded(uses[0])
	k.Because = "segments preserved under it"
	return k, nil
}
