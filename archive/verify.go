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
	"walarchive/crypt/tde"
	"walarchive/keys"
)

// VerifyOptions say what to verify.
type VerifyOptions struct {
	Level    Level
	From, To string         // segments that must be there and bound the range; "" for the ends
	Accepted []SegmentRange // gaps that are known and accepted
	Sample   int            // look into every nth run of 64 segments only; 0 and 1 into all
	Progress func(objects int, bytes int64)
}

// Verify checks whether the archive is what a recovery will need, as its first
// store has it, and whether its mirrors have the same. It can run
// beside a running archiver. An error means that it could not be done at all;
// what is wrong stands in the report.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	v := &verifier{Archive: a.inFirst(), VerifyOptions: o, fetch: remember(a.TDE), reasons: map[string]int{}}
	v.report = Report{Level: o.Level, Sample: o.Sample, Started: a.Now(), Archive: a.Anchor().String(), Problems: []Problem{}, Timelines: []Checked{}}
	var err error
	if v.survey, err = v.Archive.survey(ctx); err != nil {
		return nil, err
	}
	for _, inc := range v.survey.Incarnations {
		v.survey.missingHistories(inc)
	}
	v.report.Problems = append(v.report.Problems, v.survey.Problems...)
	if a.rolledBack != nil {
		v.problem(ProblemKeys, chainPrefix, a.rolledBack.Error())
	}
	v.note()
	if err := v.limits(); err != nil {
		return nil, err
	}
	if o.Level != LevelNames {
		if v.events, err = v.readEventLog(ctx); err != nil {
			return nil, err
		}
	}
	for _, b := range v.survey.Branches {
		if err := v.branch(ctx, b); err != nil {
			return nil, err
		}
	}
	if v.events != nil {
		v.report.Problems = append(v.report.Problems, v.events.Problems...)
	}
	v.noteUnproven()
	if err := v.compareMirrors(ctx, a.stores()); err != nil {
		return nil, err
	}
	v.report.sort()
	v.report.Finished = a.Now()
	return &v.report, nil
}

// verifier is one run of Verify.
type verifier struct {
	*Archive
	VerifyOptions
	survey   *survey
	from, to *wal.Segment
	fetch    tde.Fetch
	report   Report
	events   *EventLog
	reasons  map[string]int // why preserved segments are not proven, and how many
	mu       sync.Mutex     // guards report, events and reasons while workers run
}

// note puts on the report what is set aside: known, but not to be forgotten.
func (v *verifier) note() {
	for _, objects := range v.survey.Quarantined {
		for _, o := range objects {
			v.notice("under quarantine: %s", o)
		}
	}
	for _, o := range v.survey.Damaged {
		v.notice("moved away by repair: %s", o)
	}
	for _, o := range v.survey.Unknown {
		v.problem(ProblemUnknown, o, "walarchive puts no object of this name here")
	}
}

// branch verifies one timeline.
func (v *verifier) branch(ctx context.Context, b *branch) error {
	c := Checked{Incarnation: b.Number, SystemID: b.SystemID, Timeline: b.Timeline, Segments: len(b.Segments), Partials: len(b.Partials)}
	if len(b.Segments) > 0 {
		c.First, c.Last = b.segment(b.Segments[0]).String(), b.segment(b.Segments[len(b.Segments)-1]).String()
	}
	n, any := v.survey.needs(b)
	if n, any = v.limit(b, n, any); any {
		if err := v.gaps(ctx, b, n, &c); err != nil {
			return err
		}
	}
	v.report.Timelines = append(v.report.Timelines, c)
	if v.Level == LevelNames || !v.within(b) {
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
			for _, part := range v.survey.split(g) {
				v.gap(b, part, c)
			}
		}
	}
	return nil
}

func (v *verifier) gap(b *branch, g Gap, c *Checked) {
	c.Gaps = append(c.Gaps, g)
	if g.Accepted != "" {
		v.notice("gap %v: %s", g, g.Accepted)
		return
	}
	v.problem(ProblemGap, g.String(), fmt.Sprintf("missing on timeline %v: %d", b.Timeline, g.Segments))
}

// runLength is how many neighbouring segments one worker verifies in a row.
const runLength = 64

// contents verifies what the objects of a branch hold.
func (v *verifier) contents(ctx context.Context, b *branch) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.workers())
	nth := 0
	for run := range slices.Chunk(v.selected(b), runLength) {
		if nth++; v.sampled(nth) {
			g.Go(func() error { return v.run(ctx, b, run) })
		}
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

// sampled reports whether the nth run is among those to be looked into. Which
// these are moves on each day, so that daily runs get round to all.
func (v *verifier) sampled(nth int) bool {
	return v.Sample <= 1 || (int64(nth)+v.report.Started.Unix()/86400)%int64(v.Sample) == 0
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
	case errors.Is(err, ErrRolledBack), errors.Is(err, keys.ErrUnknownEpoch), errors.Is(err, ErrTDE):
		v.problem(ProblemKeys, object, err.Error())
	case errors.Is(err, errVanished):
		v.problem(ProblemGap, object, err.Error())
	case notStored(err, object):
		v.notice("%s went away while verify was running", object)
	default:
		v.unchecked(object, err)
	}
	return nil
}

// names holds the event log against what an object's facts say of it.
func (v *verifier) names(object string, f *Facts) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.events.holdAgainst(object, f.Events)
}

func (v *verifier) unchecked(what string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Unchecked = append(v.report.Unchecked, fmt.Sprintf("%s: %v", what, err))
}

func (v *verifier) notice(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Notes = append(v.report.Notes, fmt.Sprintf(format, args...))
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
