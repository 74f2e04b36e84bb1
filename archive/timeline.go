package archive

import (
	"context"
	"errors"
	"fmt"

	"walarchive/archive/wal"
	"walarchive/storage"
)

// storedHistory reads the history of a timeline from the archive; nil if it is
// not there.
func (a *Archive) storedHistory(ctx context.Context, inc Incarnation, t wal.Timeline) (*wal.History, error) {
	object := walObject(inc.Number, wal.Name{Kind: wal.KindHistory, Segment: wal.Segment{Timeline: t, Size: inc.SegmentSize}})
	b, _, err := a.readSealed(ctx, KindHistory, object)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("history of timeline %v: %w", t, err)
	}
	h, err := wal.ParseHistory(t, b)
	if err != nil {
		return nil, fmt.Errorf("history of timeline %v: %w", t, err)
	}
	return &h, nil
}

// following reads the histories of the timelines numbered above t, up to the
// first that is not there. PostgreSQL looks for newer timelines in the same
// way (findNewestTimeLine).
func (a *Archive) following(ctx context.Context, inc Incarnation, t wal.Timeline) ([]wal.History, error) {
	var hs []wal.History
	for t++; ; t++ {
		h, err := a.storedHistory(ctx, inc, t)
		if err != nil || h == nil {
			return hs, err
		}
		hs = append(hs, *h)
	}
}

// followed is the history of the timeline that the server of d follows: the
// one asked for, or as PostgreSQL's recovery_target_timeline = 'latest' has it,
// the newest above the server's own that descends from it.
func (a *Archive) followed(ctx context.Context, inc Incarnation, d *DataDir, asked wal.Timeline) (wal.History, error) {
	own := asked
	if asked == 0 {
		own = d.timeline()
		newer, err := a.following(ctx, inc, own)
		if err != nil {
			return wal.History{}, err
		}
		for i := len(newer) - 1; i >= 0; i-- {
			if newer[i].Contains(own) {
				return newer[i], nil
			}
		}
	}
	if own == 1 {
		return wal.History{Timeline: 1}, nil
	}
	h, err := a.storedHistory(ctx, inc, own)
	if err != nil {
		return wal.History{}, err
	}
	if h == nil {
		return wal.History{Timeline: own}, nil
	}
	return *h, nil
}

// timeline is the one that the server is on: where a recovery starts.
func (d *DataDir) timeline() wal.Timeline {
	return max(d.Control.CheckpointTimeline, d.Control.MinRecovery.Timeline)
}
