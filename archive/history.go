package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"walarchive/archive/wal"
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

// historyReader collects what the facts of segments say.
type historyReader struct {
	*Archive
	HistoryCheck
	log    *EventLog
	survey *survey

	mu      sync.Mutex // guards what follows and HistoryCheck
	facts   map[int][]KeyEvent
	sources map[sourceKey]KeyEvent
	tip     int // the newest entry that any segment names
}

// sourceKey names a principal key of a server's, as segments name it.
type sourceKey struct {
	incarnation         int
	principal, provider string
}

func (a *Archive) compareHistory(ctx context.Context) (*historyReader, error) {
	r := &historyReader{Archive: a, facts: map[int][]KeyEvent{}, sources: map[sourceKey]KeyEvent{}}
	var err error
	if r.survey, err = a.survey(ctx); err != nil {
		return nil, err
	}
	if r.log, err = a.readEventLog(ctx); err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16) // they wait for the store
	for _, b := range r.survey.Branches {
		for run := range slices.Chunk(b.Segments, runLength) {
			g.Go(func() error { return r.run(ctx, b, run) })
		}
		for _, p := range b.Partials {
			g.Go(func() error {
				_, err := r.read(ctx, b, KindPartial, p.Object)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r.compare()
	return r, nil
}

// run reads neighbouring segments of one branch, and the records that cross
// from one into the next.
func (r *historyReader) run(ctx context.Context, b *branch, segments []wal.SegmentNo) error {
	var prev *wal.Facts
	if before, ok := r.survey.before(b, segments[0]); ok {
		if f, err := r.Archive.facts(ctx, KindSegment, segmentObject(b.Number, before)); err == nil {
			prev = f.WAL
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for _, no := range segments {
		var f *Facts
		for _, object := range b.objects(no) {
			g, err := r.read(ctx, b, KindSegment, object)
			if err != nil {
				return err
			}
			if f == nil || f.WAL == nil {
				f = g
			}
		}
		if f == nil || f.WAL == nil {
			prev = nil
			continue
		}
		if prev != nil && prev.LastLSN+1 == f.WAL.FirstLSN {
			events, err := crossing(prev, f.WAL, b.Major, f.Host)
			if err == nil { // neighbours that do not fit are verify's to tell
				r.found(b, events...)
			}
		}
		prev = f.WAL
	}
	return nil
}

// read reads the facts of one object and notes what they say; nil if they
// cannot be read.
func (r *historyReader) read(ctx context.Context, b *branch, kind Kind, object string) (*Facts, error) {
	f, err := r.Archive.facts(ctx, kind, object)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if notStored(err, object) {
		return nil, nil // removed meanwhile
	}
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.Unchecked = append(r.Unchecked, fmt.Sprintf("%s: %v", object, err))
		return nil, nil
	}
	r.found(b, recordsIn(f.WAL, f.Host)...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Objects++
	r.source(b, object, f)
	r.log.holdAgainst(object, f.Events)
	if f.Events != nil {
		r.tip = max(r.tip, f.Events.Number)
	}
	return f, nil
}

// source notes under which principal key the server had a segment, once for
// each key, where that is first seen.
func (r *historyReader) source(b *branch, object string, f *Facts) {
	o, ok := parseWALObject(object, b.SegmentSize)
	if f.Source == nil || f.Source.Principal == "" || !ok {
		return
	}
	s := *f.Source
	s.Spans = nil
	e := KeyEvent{At: endOf(o.Name, f.WAL), Node: f.Host, Source: &s}
	k := sourceKey{b.Number, s.Principal, s.Provider}
	if have, ok := r.sources[k]; !ok || e.At.Compare(have.At) < 0 {
		r.sources[k] = e
	}
}

func (r *historyReader) found(b *branch, events ...KeyEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts[b.Number] = append(r.facts[b.Number], events...)
}

// compare turns what was read into what the log lacks, which stays in facts.
func (r *historyReader) compare() {
	r.Entries, r.Problems = r.log.Entries, append([]Problem{}, r.log.Problems...)
	slices.Sort(r.Unchecked)
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
			if e.Source != nil {
				return l.showsKey(e.Source)
			}
			return l.same(&e)
		}) {
			missing = append(missing, e)
		}
	}
	return missing
}

// showsKey reports whether the event shows the server's principal key that a
// source names.
func (e *KeyEvent) showsKey(s *tde.Source) bool {
	if e.Source != nil {
		return e.Source.Principal == s.Principal && e.Source.Provider == s.Provider
	}
	return e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Principals, func(p tde.PrincipalInfo) bool {
		return p.Scope == tde.ServerScope && p.KeyName == s.Principal
	})
}

// rebuild writes what the log lacks, behind it if it is sound, else all of it.
func (a *Archive) rebuild(ctx context.Context, r *historyReader) error {
	sound, first := r.log.Sound(), max(r.log.last, r.tip)+1
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
