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
	r.gaps(s, inc, path)
	return &r.Needed, nil
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

// keyReplay collects what a replay asks for.
type keyReplay struct {
	Needed
	replay tde.Replay
	latest []NeededKey // every key seen so far, by what last said so
}

// run goes along the events. Up to From they make up what the key files say at
// the beginning. A snapshot is of a later moment than its place, so the first
// one tells of From too, and those of To's segment of To.
func (r *keyReplay) run(events []KeyEvent, segmentSize int64) error {
	begin := 0
	for begin < len(events) && (events[begin].At.LSN < r.From || events[begin].Info == 0 && events[begin].At.LSN == r.From) {
		if _, err := r.take(&events[begin]); err != nil {
			return err
		}
		begin++
	}
	if err := r.begin(events[:begin], events[begin:]); err != nil {
		return err
	}
	r.doubt(events)
	end := wal.SegmentAt(r.Timeline, r.To, segmentSize).End()
	for i := range events[begin:] {
		e := &events[begin+i]
		if e.At.LSN > r.To && (e.Info != 0 || e.At.LSN > end) {
			continue
		}
		keys, err := r.take(e)
		if err != nil {
			return err
		}
		for _, k := range keys {
			r.need(k)
		}
		if e.Cut {
			r.Unknown = append(r.Unknown, fmt.Sprintf("%v: %v", e.At, e))
		}
	}
	return nil
}

// begin lists the keys in force at From. Where no snapshot lies before it, the
// first ones behind it say what was.
func (r *keyReplay) begin(before, behind []KeyEvent) error {
	shows := func(e KeyEvent) bool { return e.Snapshot != nil || e.Source != nil }
	if !slices.ContainsFunc(before, shows) {
		if err := r.firstSnapshots(behind); err != nil {
			return err
		}
	}
	for _, u := range r.replay.Uses() {
		k := r.last(newNeeded(u))
		k.Because = "in force at the beginning; " + k.Because
		r.need(k)
	}
	for _, k := range r.latest {
		if k.ofSegment() {
			r.need(k)
		}
	}
	return nil
}

// firstSnapshots takes in each node's first snapshot.
func (r *keyReplay) firstSnapshots(events []KeyEvent) error {
	seen := map[string]bool{}
	for i := range events {
		e := &events[i]
		if e.Snapshot == nil && e.Source == nil || seen[e.Node] {
			continue
		}
		seen[e.Node] = true
		if _, err := r.take(e); err != nil {
			return err
		}
	}
	return nil
}

// doubt says where a key that the log does not know was in force: a rotation
// to be replayed before any key files were seen, or to a key that the first
// ones show already.
func (r *keyReplay) doubt(events []KeyEvent) {
	first := slices.IndexFunc(events, func(e KeyEvent) bool { return e.Snapshot != nil })
	if first < 0 {
		r.Unknown = append(r.Unknown, "no key files of a server were ever seen: keys set before its WAL was archived are not known")
		return
	}
	for i := range events {
		e := &events[i]
		if e.Info != wal.TDERotatePrincipalKey || e.At.LSN < r.From || e.At.LSN > r.To {
			continue
		}
		record, err := e.Record()
		if err != nil {
			continue // take tells
		}
		if i < first || events[first].shows(record) {
			r.Unknown = append(r.Unknown, fmt.Sprintf("%v, at %v: the key before it was never seen", record, e.At))
		}
	}
}

// shows reports whether a snapshot shows the key that a record rotates to.
func (e *KeyEvent) shows(record *tde.Event) bool {
	return slices.ContainsFunc(e.Snapshot.Principals, func(p tde.PrincipalInfo) bool {
		return p.Scope == record.Scope && p.KeyName == record.KeyName && p.Provider == record.ProviderID
	})
}

// take replays an event and gives the keys that it asks for.
func (r *keyReplay) take(e *KeyEvent) ([]NeededKey, error) {
	var keys []NeededKey
	switch {
	case e.Snapshot != nil:
		uses, err := r.replay.Snapshot(e.Node, e.Snapshot)
		if err != nil {
			return nil, fmt.Errorf("event log: %v: %w", e.At, err)
		}
		for _, u := range uses {
			k := newNeeded(u)
			k.Because = "key files of " + e.Node
			keys = append(keys, k)
		}
	case e.Source != nil:
		keys = append(keys, NeededKey{
			Scope: tde.ServerScope, Key: e.Source.Principal, Provider: e.Source.Provider, Type: e.Source.Type, Because: e.String(),
		})
	case e.Info != 0:
		record, err := e.Record()
		if err != nil {
			return nil, fmt.Errorf("event log: %w", err)
		}
		for _, u := range r.replay.Apply(record) {
			k := newNeeded(u)
			k.Because = record.String()
			keys = append(keys, k)
		}
	}
	for i := range keys {
		keys[i].At = e.At
		r.remember(keys[i])
	}
	return keys, nil
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

func (r *keyReplay) remember(k NeededKey) {
	r.latest = append(slices.DeleteFunc(r.latest, func(l NeededKey) bool { return l.sameKey(&k) }), k)
}

// last adds to k what last said so.
func (r *keyReplay) last(k NeededKey) NeededKey {
	for _, l := range r.latest {
		if l.sameKey(&k) {
			k.At, k.Because = l.At, l.Because
		}
	}
	return k
}

// need lists k unless it stands there already, asked for in the same place. Of
// a key that only a segment's facts name, no place is known.
func (r *keyReplay) need(k NeededKey) {
	if !slices.ContainsFunc(r.Keys, func(l NeededKey) bool {
		if k.ofSegment() {
			return l.Key == k.Key && l.Provider == k.Provider
		}
		return l.sameKey(&k) && l.Provider == k.Provider && l.Type == k.Type && l.Location == k.Location
	}) {
		r.Keys = append(r.Keys, k)
	}
}

// gaps says where WAL of the stretch is not in the archive: nobody knows what
// records are in it.
func (r *keyReplay) gaps(s *survey, inc Incarnation, path wal.History) {
	next, last := segmentNo(r.From, inc), segmentNo(r.To, inc)
	gap := func(end wal.SegmentNo) {
		if end > next {
			r.Unknown = append(r.Unknown, fmt.Sprintf("WAL from %v to %v is not in the archive: records in it are not known", startOf(next, inc), startOf(end, inc)))
		}
	}
	for _, no := range s.along(inc, path) {
		if no >= next && no <= last {
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

// along are the numbers of the segments that are there for a replay along path,
// in whole or part.
func (s *survey) along(inc Incarnation, path wal.History) []wal.SegmentNo {
	var all []wal.SegmentNo
	for _, t := range append(path.Ancestors(), path.Timeline) {
		b := s.branch(inc.Number, t)
		if b == nil {
			continue
		}
		here := slices.Clone(b.Segments)
		for _, p := range b.Partials {
			here = append(here, p.Name.Segment.No)
		}
		if at, left := path.SwitchOf(t); left {
			here = slices.DeleteFunc(here, func(no wal.SegmentNo) bool { return startOf(no, inc) >= at })
		}
		all = append(all, here...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
