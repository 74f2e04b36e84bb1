package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
)

// Needed are the principal keys of pg_tde's that a replay asks for.
type Needed struct {
	Timeline wal.Timeline `json:"timeline"` // that the replay follows
	From     wal.LSN      `json:"from"`     // where it begins
	To       wal.LSN      `json:"to"`
	Keys     []NeededKey  `json:"keys"`       // in the order in which they are asked for
	Unknown  []string     `json:"unknown"`    // why there may be others
	Logged   bool         `json:"pg_tde_log"` // there is an event log: a server with pg_tde archived here
}

// NeededKey is a principal key and where the replaying server looks for it.
type NeededKey struct {
	Scope      tde.Scope        `json:"scope"`
	Key        string           `json:"key"`
	ProviderID int32            `json:"provider_id,omitempty"`
	Provider   string           `json:"provider"` // its name on the server; "" is not known
	Type       tde.ProviderType `json:"type,omitempty"`
	Location   string           `json:"location"`
	At         wal.Location     `json:"at"` // of what says so
	Because    string           `json:"because"`

	use tde.Use
}

// NeededKeys lists the principal keys that a server asks for when it replays
// WAL from one LSN to another, along timeline; zero is the newest with WAL. The
// first are those that its key files name when it begins. It needs a sound
// event log, or gives ErrEventLog.
func (a *Archive) NeededKeys(ctx context.Context, from, to wal.LSN, timeline wal.Timeline) (*Needed, error) {
	if from > to {
		return nil, fmt.Errorf("replay cannot go back from %v to %v", from, to)
	}
	s, err := a.survey(ctx)
	if err != nil {
		return nil, err
	}
	log, err := a.eventLog(ctx, s)
	if err == nil {
		err = log.Err()
	}
	if err != nil {
		return nil, err
	}
	path, err := s.pathTo(timeline)
	if err != nil {
		return nil, err
	}
	inc := s.Incarnations[len(s.Incarnations)-1]
	r := &keyReplay{Needed: Needed{Timeline: path.Timeline, From: from, To: to, Keys: []NeededKey{}, Unknown: []string{}, Logged: log.Entries > 0}}
	if !r.Logged {
		return &r.Needed, nil
	}
	if err := r.run(onPath(log.Events, path, s.Trees[inc.Number]), inc.SegmentSize); err != nil {
		return nil, err
	}
	held := s.along(inc, path)
	r.gaps(held, inc)
	if slices.ContainsFunc(log.Events, func(e KeyEvent) bool { return e.Preserved }) {
		err = a.preservedKeys(ctx, r, held)
	}
	return &r.Needed, err
}

// pathTo is the history of the timeline asked for in the open incarnation;
// zero is the newest with WAL.
func (s *survey) pathTo(t wal.Timeline) (wal.History, error) {
	inc := s.Incarnations[len(s.Incarnations)-1].Number
	var found *branch
	for _, b := range s.Branches {
		if b.Number == inc && (b.Timeline == t || t == 0 && b.holdsWAL()) {
			found = b
		}
	}
	switch {
	case found != nil:
		return s.path(found), nil
	case t == 0:
		return wal.History{Timeline: 1}, nil // nothing is archived yet
	}
	return wal.History{}, fmt.Errorf("timeline %v: %w", t, ErrEnd)
}

// onPath are the events that a replay along path passes, in order. A segment
// begins with what is its parent timeline's: a record counts for the timeline
// to which its place belongs. What a snapshot shows is later than its place:
// one at the fork itself counts for the parent too.
func onPath(events []KeyEvent, path wal.History, tree *wal.Tree) []KeyEvent {
	var on []KeyEvent
	for _, e := range events {
		if own, ok := tree.Path(e.At.Timeline); ok && e.Info != 0 {
			e.At.Timeline = own.TimelineAt(e.At.LSN)
		}
		end, left := path.SwitchOf(e.At.Timeline)
		if e.At.Timeline == path.Timeline || left && (e.At.LSN < end || e.Info == 0 && e.At.LSN == end) {
			on = append(on, e)
		}
	}
	slices.SortStableFunc(on, func(a, b KeyEvent) int { return cmp.Compare(a.At.LSN, b.At.LSN) })
	return on
}

func newNeeded(u tde.Use) NeededKey {
	k := NeededKey{Scope: u.Scope, Key: u.KeyName, ProviderID: u.ProviderID, use: u}
	if u.Provider != nil {
		k.Provider, k.Type, k.Location = u.Provider.Name, u.Provider.Type, u.Provider.Location()
	}
	return k
}

// ofSegment reports whether the key is known from a segment's facts only.
func (k *NeededKey) ofSegment() bool { return k.use.KeyName == "" }

// sameKey reports whether both name one key of one provider.
func (k *NeededKey) sameKey(l *NeededKey) bool {
	return k.Scope == l.Scope && k.Key == l.Key && k.ProviderID == l.ProviderID
}
