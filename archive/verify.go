package archive

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"walarchive/archive/wal"
	"walarchive/storage"
)

// Level is how deep Verify looks.
type Level int

const (
	LevelNames Level = iota + 1 // a listing: gaps, timelines, history files
	LevelFacts                  // and the first frame of every object: authentic, continuing its neighbour
	LevelFull                   // and every byte: authentic, digest, pages, records, links
)

var levelNames = map[Level]string{LevelNames: "names", LevelFacts: "facts", LevelFull: "full"}

func (l Level) String() string { return levelNames[l] }

// ParseLevel reads what Level.String prints.
func ParseLevel(s string) (Level, error) {
	for l, name := range levelNames {
		if s == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is no level: names, facts or full", s)
}

// MarshalText is String.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// VerifyOptions say what to verify.
type VerifyOptions struct {
	Level    Level
	From, To string         // segments that must be there and bound the range; "" for the ends
	Accepted []SegmentRange // gaps that are known and accepted
	Progress func(objects int, bytes int64)
}

// Verify checks whether the archive is what a recovery will need. It can run
// beside a running archiver. An error means that it could not be done at all;
// what is wrong stands in the report.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	v := &verifier{Archive: a, VerifyOptions: o}
	v.report = Report{Level: o.Level, Started: a.Now(), Archive: a.Anchor().String(), Problems: []Problem{}, Timelines: []Checked{}}
	var err error
	if v.survey, err = a.survey(ctx); err != nil {
		return nil, err
	}
	v.report.Problems = append(v.report.Problems, v.survey.Problems...)
	v.note()
	if err := v.limits(); err != nil {
		return nil, err
	}
	for _, b := range v.survey.Branches {
		if err := v.branch(ctx, b); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(v.report.Problems, func(p, q Problem) int { return compareStrings(p.Object, q.Object, string(p.Kind), string(q.Kind)) })
	v.report.Finished = a.Now()
	return &v.report, nil
}

// verifier is one run of Verify.
type verifier struct {
	*Archive
	VerifyOptions
	survey   *survey
	from, to *wal.Segment
	report   Report
	mu       sync.Mutex // guards report while workers run
}

// note puts on the report what is set aside: known, but not to be forgotten.
func (v *verifier) note() {
	for _, objects := range v.survey.Quarantined {
		for _, o := range objects {
			v.report.Notes = append(v.report.Notes, "under quarantine: "+o)
		}
	}
	for _, o := range v.survey.Damaged {
		v.report.Notes = append(v.report.Notes, "moved away by repair: "+o)
	}
	slices.Sort(v.report.Notes)
	for _, o := range v.survey.Unknown {
		v.problem(ProblemUnknown, o, "walarchive puts no object of this name here")
	}
}

// limits reads From and To.
func (v *verifier) limits() error {
	size := v.survey.Incarnations[len(v.survey.Incarnations)-1].SegmentSize
	for _, l := range []struct {
		name string
		to   **wal.Segment
	}{{v.From, &v.from}, {v.To, &v.to}} {
		if l.name == "" {
			continue
		}
		seg, err := wal.ParseSegment(l.name, size)
		if err != nil {
			return err
		}
		*l.to = &seg
	}
	if v.from != nil && v.to != nil && (v.from.Timeline > v.to.Timeline || v.from.Timeline == v.to.Timeline && v.from.No > v.to.No) {
		return fmt.Errorf("%v comes after %v", v.from, v.to)
	}
	return nil
}

// limit applies From and To to what is needed of a branch. Segments named as
// limits must be there, so they widen it too.
func (v *verifier) limit(b *branch, n need, any bool) (need, bool) {
	if v.from == nil && v.to == nil {
		return n, any
	}
	if b.Number != v.survey.Incarnations[len(v.survey.Incarnations)-1].Number ||
		v.from != nil && b.Timeline < v.from.Timeline || v.to != nil && b.Timeline > v.to.Timeline {
		return need{}, false
	}
	if v.from != nil && b.Timeline == v.from.Timeline {
		n.first, any = v.from.No, true
		n.last = max(n.last, n.first)
	}
	if v.to != nil && b.Timeline == v.to.Timeline {
		n.last = v.to.No
		if !any {
			n.first = n.last
		}
		any = true
	}
	return n, any && n.first <= n.last
}

// branch verifies one timeline.
func (v *verifier) branch(ctx context.Context, b *branch) error {
	n, any := v.survey.needs(b)
	n, any = v.limit(b, n, any)
	if !any && v.from == nil && v.to == nil {
		any = len(b.Partials) > 0
	}
	c := Checked{Incarnation: b.Number, SystemID: b.SystemID, Timeline: b.Timeline, Segments: len(b.Segments), Partials: len(b.Partials)}
	if len(b.Segments) > 0 {
		c.First, c.Last = b.segment(b.Segments[0].No).String(), b.segment(b.Segments[len(b.Segments)-1].No).String()
	}
	if b.History == nil && b.Timeline > 1 && len(b.Segments)+len(b.Partials) > 0 {
		v.problem(ProblemHistory, b.historyObject(), fmt.Sprintf("the history of timeline %v is missing: no recovery can enter it", b.Timeline))
	}
	if any && n.last >= n.first && len(b.Segments) > 0 {
		if err := v.gaps(ctx, b, n, &c); err != nil {
			return err
		}
	}
	v.report.Timelines = append(v.report.Timelines, c)
	if v.Level == LevelNames {
		return nil
	}
	return v.contents(ctx, b)
}

func (v *verifier) gaps(ctx context.Context, b *branch, n need, c *Checked) error {
	for _, g := range b.gaps(n) {
		rest, err := v.confirm(ctx, g)
		if err != nil {
			return err
		}
		for _, g := range rest {
			g.Accepted = v.survey.accept(g, v.Accepted)
			c.Gaps = append(c.Gaps, g)
			if g.Accepted == "" {
				v.problem(ProblemGap, g.String(), fmt.Sprintf("%d segments of timeline %v are missing", g.Segments, b.Timeline))
			} else {
				v.report.Notes = append(v.report.Notes, fmt.Sprintf("gap %v: %s", g, g.Accepted))
			}
		}
	}
	return nil
}

// runLength is how many neighbouring segments one worker verifies in a row.
const runLength = 64

// contents verifies what the objects of a branch hold.
func (v *verifier) contents(ctx context.Context, b *branch) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.workers())
	segments := v.selected(b)
	for start := 0; start < len(segments); start += runLength {
		run := segments[start:min(start+runLength, len(segments))]
		g.Go(func() error { return v.run(ctx, b, run) })
	}
	if v.from == nil && v.to == nil {
		for _, p := range b.Partials {
			g.Go(func() error { return v.partial(ctx, b, p) })
		}
		for _, p := range b.Backups {
			g.Go(func() error { return v.small(ctx, p) })
		}
	}
	return g.Wait()
}

func (v *verifier) workers() int {
	if v.Workers > 0 {
		return v.Workers
	}
	if v.Level == LevelFacts {
		return 16 // these wait for the store, not for a processor
	}
	return runtime.GOMAXPROCS(0)
}

// selected are the segments of b between From and To.
func (v *verifier) selected(b *branch) []listed {
	segs := b.Segments
	if v.from != nil && b.Timeline < v.from.Timeline || v.to != nil && b.Timeline > v.to.Timeline {
		return nil
	}
	if v.to != nil && v.to.Timeline == b.Timeline {
		i, _ := b.find(v.to.No + 1)
		segs = segs[:i]
	}
	if v.from != nil && v.from.Timeline == b.Timeline {
		i, _ := b.find(v.from.No)
		segs = segs[min(i, len(segs)):]
	}
	return segs
}

// found sorts an error about one object: into the report if it is about the
// object, back to the caller if the run must end.
func (v *verifier) found(ctx context.Context, object string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrInvalid), errors.Is(err, ErrForeign):
		v.problem(ProblemDamaged, object, err.Error())
	case errors.Is(err, wal.ErrJoin):
		v.problem(ProblemBroken, object, err.Error())
	case errors.Is(err, ErrRolledBack):
		v.problem(ProblemKeys, object, err.Error())
	case errors.Is(err, storage.ErrNotExist):
		v.problem(ProblemGap, object, "went away while verify was running")
	default:
		v.mu.Lock()
		defer v.mu.Unlock()
		v.report.Unchecked = append(v.report.Unchecked, fmt.Sprintf("%s: %v", object, err))
	}
	return nil
}

func (v *verifier) problem(kind ProblemKind, object, detail string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Problems = append(v.report.Problems, Problem{kind, object, detail})
}

func (v *verifier) count(bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Objects++
	v.report.Bytes += bytes
	if v.Progress != nil {
		v.Progress(v.report.Objects, v.report.Bytes)
	}
}

func compareStrings(pairs ...string) int {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != pairs[i+1] {
			if pairs[i] < pairs[i+1] {
				return -1
			}
			return 1
		}
	}
	return 0
}
