package archive

import (
	"fmt"
	"slices"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
)

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
