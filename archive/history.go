package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/storage"
)

// HistoryCheck is the event log held against the facts of every segment.
type HistoryCheck struct {
	Objects   int       `json:"objects"` // whose facts were read
	Entries   int       `json:"entries"` // of the log, read
	Events    int       `json:"events"`  // in them
	Problems  []Problem `json:"problems"`
	Unchecked []string  `json:"unchecked,omitempty"` // what could not be read, and why
	Notes     []string  `json:"notes,omitempty"`     // what the log knows and no segment does
	Added     int       `json:"added"`               // events written to the log
}

// Sound reports whether the log is whole and lacks nothing.
func (c *HistoryCheck) Sound() bool { return len(c.Problems) == 0 }

// CheckHistory reads the facts of every segment and reports what the event log
// lacks, or is wrong in.
func (a *Archive) CheckHistory(ctx context.Context) (*HistoryCheck, error) {
	r, err := a.compareHistory(ctx)
	if err != nil {
		return nil, err
	}
	return &r.HistoryCheck, nil
}

// RebuildHistory writes to the event log what it lacks. Where entries are
// damaged, missing or replaced, it writes the whole log anew, from what is
// sound in it and from the segments, and readers no longer look at what was
// there. A snapshot that is lost is replaced by what the facts of segments say
// of the server's principal key. The check is of the log as it was.
func (a *Archive) RebuildHistory(ctx context.Context) (*HistoryCheck, error) {
	r, err := a.compareHistory(ctx)
	if err != nil {
		return nil, err
	}
	if len(r.Unchecked) > 0 {
		err := fmt.Errorf("nothing was written: %s could not be read", r.Unchecked[0])
		return nil, advise(err, "a log rebuilt without it could lack a key; walarchive verify tells what is wrong")
	}
	if err := a.rebuild(ctx, r); err != nil {
		return nil, err
	}
	return &r.HistoryCheck, nil
}

// compare turns what was read into what the log lacks, which stays in facts.
func (r *historyReader) compare() {
	r.Entries, r.Problems = r.log.Entries, append([]Problem{}, r.log.Problems...)
	slices.Sort(r.Unchecked)
	if r.preserved > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d objects are preserved as their server encrypted them: what records are in them is not known", r.preserved))
	}
	for k, e := range r.sources {
		r.facts[k.incarnation] = append(r.facts[k.incarnation], e)
	}
	for _, inc := range r.survey.Incarnations {
		logged := r.logged(inc.Number)
		r.Events += len(logged)
		known := inOrder(r.facts[inc.Number])
		for _, e := range logged {
			if e.Info != 0 && !slices.ContainsFunc(known, func(f KeyEvent) bool { return f.same(&e) }) {
				r.Notes = append(r.Notes, fmt.Sprintf("%v: in the log, and in no segment that is here", e.At))
			}
		}
		missing := lacking(logged, known)
		r.facts[inc.Number] = missing
		for _, e := range missing {
			r.Problems = append(r.Problems, Problem{ProblemEvents, e.At.String(), "not in the log: " + e.String()})
		}
	}
}

func (r *historyReader) logged(inc int) []KeyEvent {
	if incs := r.survey.Incarnations; inc != incs[len(incs)-1].Number {
		return r.log.Closed[inc]
	}
	return r.log.Events
}

// lacking are the events, of segments and in order, that a log does not have.
// What a segment says of the server's key counts only where no snapshot shows
// that key.
func lacking(logged, known []KeyEvent) []KeyEvent {
	var missing []KeyEvent
	for _, e := range known {
		if !slices.ContainsFunc(logged, func(l KeyEvent) bool {
			if e.Info == 0 && !e.Cut {
				return l.showsKey(e.serverKey())
			}
			return l.same(&e)
		}) {
			missing = append(missing, e)
		}
	}
	return missing
}

// serverKey is the name of the server's principal key that an event shows, ""
// if it shows none.
func (e *KeyEvent) serverKey() string {
	if e.Source != nil {
		return e.Source.Principal
	}
	if e.Snapshot != nil {
		for _, p := range e.Snapshot.Principals {
			if p.Scope == tde.ServerScope {
				return p.KeyName
			}
		}
	}
	return ""
}

// showsKey reports whether the event shows the server's key of that name.
func (e *KeyEvent) showsKey(name string) bool { return name != "" && e.serverKey() == name }

// rebuild writes what the log lacks, behind it if it is sound, else all of it.
func (a *Archive) rebuild(ctx context.Context, r *historyReader) error {
	sound, first := r.log.whole(), max(r.log.last, r.tip)+1
	prev := r.log.tips[r.log.last].Digest
	if !sound {
		prev = crypt.Digest{}
	}
	var entries []*eventEntry
	for _, inc := range r.survey.Incarnations {
		events := r.facts[inc.Number]
		r.Added += len(events)
		if !sound {
			events = inOrder(slices.Concat(r.logged(inc.Number), events))
		}
		for _, part := range portions(events) {
			entries = append(entries, &eventEntry{Number: first + len(entries), Incarnation: inc.Number, Events: part})
		}
	}
	if !sound && len(entries) == 0 {
		entries = append(entries, &eventEntry{Number: first, Incarnation: 1, Events: []KeyEvent{}})
	}
	for i, e := range entries {
		if e.Prev = prev; !sound && i == len(entries)-1 {
			e.Rebuilt = first // only now, when all of them are there
		}
		tip, err := a.putEvents(ctx, r.survey.Incarnations[e.Incarnation-1], e)
		if errors.Is(err, storage.ErrExist) {
			return advise(errors.New("the event log changed meanwhile"), "nothing is lost; run it again")
		}
		if err != nil {
			return err
		}
		prev = tip.Digest
	}
	return nil
}

// portions shares events out to entries that are not too large.
func portions(events []KeyEvent) [][]KeyEvent {
	var all [][]KeyEvent
	size := maxEventEntry
	for _, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			b = nil // what was parsed from JSON can be written as such
		}
		if size += len(b) + 1; size > maxEventEntry/2 {
			all, size = append(all, nil), len(b)
		}
		all[len(all)-1] = append(all[len(all)-1], e)
	}
	return all
}
