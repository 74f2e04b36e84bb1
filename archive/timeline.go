package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"walarchive/archive/wal"
)

// historyName is the name of a timeline's history file.
func historyName(inc Incarnation, t wal.Timeline) wal.Name {
	return wal.Name{Kind: wal.KindHistory, Segment: wal.Segment{Timeline: t, Size: inc.SegmentSize}}
}

// storedHistory reads the history of a timeline from the archive; nil if it is
// not there.
func (a *Archive) storedHistory(ctx context.Context, inc Incarnation, t wal.Timeline) (*wal.History, error) {
	object := walObject(inc.Number, historyName(inc, t))
	f, err := a.readSealed(ctx, KindHistory, object)
	if notStored(err, object) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("history of timeline %v: %w", t, err)
	}
	h, err := wal.ParseHistory(t, f.content)
	if err != nil {
		return nil, fmt.Errorf("history of timeline %v: %w", t, err)
	}
	return &h, nil
}

// following reads the histories of the timelines numbered above t, up to the
// first that is not there.
func (a *Archive) following(ctx context.Context, inc Incarnation, t wal.Timeline) ([]wal.History, error) {
	return consecutive(t, func(t wal.Timeline) (*wal.History, error) { return a.storedHistory(ctx, inc, t) })
}

func consecutive(t wal.Timeline, read func(wal.Timeline) (*wal.History, error)) ([]wal.History, error) {
	var hs []wal.History
	for t++; ; t++ {
		h, err := read(t)
		if err != nil || h == nil {
			return hs, err
		}
		hs = append(hs, *h)
	}
}

// follows is the history of the timeline that the server of d follows: the one
// asked for, or as PostgreSQL's recovery_target_timeline = 'latest' has it, the
// newest above the server's own that descends from it (findNewestTimeLine,
// rescanLatestTimeLine). PostgreSQL looks in the archive first and then in
// pg_wal, and so does this.
func (a *Archive) follows(ctx context.Context, inc Incarnation, d *DataDir, asked wal.Timeline) (wal.History, error) {
	read := func(t wal.Timeline) (*wal.History, error) {
		h, err := a.rememberedHistory(ctx, inc, t)
		if err != nil || h != nil {
			return h, err
		}
		return d.history(t)
	}
	own := asked
	if asked == 0 {
		own = d.timeline()
		newer, err := consecutive(own, read)
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
	h, err := read(own)
	if err != nil || h == nil {
		return wal.History{Timeline: own}, err
	}
	return *h, nil
}

// timeline is the one that the server is on: where a recovery starts.
func (d *DataDir) timeline() wal.Timeline {
	return max(d.Control.CheckpointTimeline, d.Control.MinRecovery.Timeline)
}

// history reads the history of a timeline from pg_wal; nil if it is not there,
// or is none: PostgreSQL will see that for itself.
func (d *DataDir) history(t wal.Timeline) (*wal.History, error) {
	b, err := os.ReadFile(filepath.Join(d.Path, "pg_wal", t.Hex()+".history"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h, err := wal.ParseHistory(t, b)
	if err != nil {
		return nil, nil
	}
	return &h, nil
}
