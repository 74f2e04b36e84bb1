package archive

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"walarchive/archive/wal"
)

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

	preserved int // objects
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
				_, err := r.read(ctx, b, p.Name, p.Object)
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
		cur, err := r.segment(ctx, b, no)
		if err != nil {
			return err
		}
		if prev != nil && cur != nil && prev.LastLSN+1 == cur.FirstLSN {
			events, err := crossing(prev, cur, b.Major, "")
			if err == nil { // neighbours that do not fit are verify's to tell
				r.found(b, events...)
			}
		}
		prev = cur
	}
	return nil
}

// segment reads a segment, in all copies of it; nil if its WAL is not known.
func (r *historyReader) segment(ctx context.Context, b *branch, no wal.SegmentNo) (*wal.Facts, error) {
	var known *wal.Facts
	for _, object := range b.objects(no) {
		f, err := r.read(ctx, b, wal.Name{Kind: wal.KindSegment, Segment: b.segment(no)}, object)
		if err != nil {
			return nil, err
		}
		if f != nil && f.WAL != nil {
			known = f.WAL
		}
	}
	return known, nil
}

// read reads the facts of one object and notes what they say; nil if they
// cannot be read.
func (r *historyReader) read(ctx context.Context, b *branch, n wal.Name, object string) (*Facts, error) {
	f, err := r.Archive.facts(ctx, objectKind(n), object)
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
	if r.Objects++; f.TDE != nil {
		r.preserved++
	}
	r.source(b, n, f)
	r.log.holdAgainst(object, f.Events)
	if f.Events != nil {
		r.tip = max(r.tip, f.Events.Number)
	}
	return f, nil
}

// source notes under which principal key the server had a file, once for each
// key, where that is first seen. A preserved one brings its own key files.
func (r *historyReader) source(b *branch, n wal.Name, f *Facts) {
	if f.Source == nil || f.Source.Principal == "" {
		return
	}
	s := *f.Source
	s.Spans = nil
	e := KeyEvent{At: endOf(n, f.WAL), Node: f.Host, Source: &s}
	if f.TDE != nil {
		if shown, err := f.TDE.Snapshot(); err == nil { // else verify tells
			e.Source, e.Snapshot, e.Preserved = nil, shown, true
		}
	}
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
