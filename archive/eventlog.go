package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"walarchive/archive/wal"
)

// EventLog is the event log as it was read.
type EventLog struct {
	Entries  int                // read
	Events   []KeyEvent         // of the open incarnation, by their places, those of one place as they were written
	Closed   map[int][]KeyEvent // of the incarnations before it
	Problems []Problem          // damaged, missing, replaced and rolled-back entries

	first int              // the oldest entry that counts: 1, or where the log was rebuilt last
	tips  map[int]ChainTip // of the entries that could be read
	last  int              // the newest entry that is there
}

// Sound reports whether every entry is there and as it was written.
func (l *EventLog) Sound() bool { return len(l.Problems) == 0 }

// whole is Sound but for objects that are none of the log's.
func (l *EventLog) whole() bool {
	return !slices.ContainsFunc(l.Problems, func(p Problem) bool { return p.Kind == ProblemEvents })
}

// ErrEventLog says that the event log is not what the archive's writers wrote.
var ErrEventLog = errors.New("the event log of pg_tde's keys is damaged")

// Err is ErrEventLog with the first problem, nil if there is none.
func (l *EventLog) Err() error {
	if l.Sound() {
		return nil
	}
	err := fmt.Errorf("%w: %v", ErrEventLog, l.Problems[0])
	if l.whole() {
		return advise(err, "walarchive puts no object of that name there: move it out of the archive")
	}
	return advise(err, "walarchive keys history shows all of it; walarchive keys history rebuild makes it anew from the segments")
}

// EventLog reads the event log, and holds it against what the newest segment
// of each timeline says of it. What is wrong with entries is among the
// problems; an error means that it could not be read at all.
func (a *Archive) EventLog(ctx context.Context) (*EventLog, error) {
	s, err := a.survey(ctx)
	if err != nil {
		return nil, err
	}
	return a.eventLog(ctx, s)
}

func (a *Archive) eventLog(ctx context.Context, s *survey) (*EventLog, error) {
	l, err := a.readEventLog(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range s.Branches {
		if err := a.holdAgainstNewest(ctx, l, b); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// newestTries is how many of the newest segments may be unreadable before the
// log counts as held against none.
const newestTries = 16

// holdAgainstNewest compares the log with what the newest segment of a branch
// says that can be read; of the others verify tells.
func (a *Archive) holdAgainstNewest(ctx context.Context, l *EventLog, b *branch) error {
	tries := 0
	for _, no := range slices.Backward(b.Segments) {
		object := b.objects(no)[0]
		f, err := a.facts(ctx, KindSegment, object)
		switch {
		case err == nil:
			l.holdAgainst(object, f.Events)
			return nil
		case !lasting(err):
			return err
		}
		if tries++; tries == newestTries {
			l.problem(object, "it and those before it cannot be read: nothing says how long the event log must be")
			return nil
		}
	}
	return nil
}

// readEventLog reads all entries that count.
func (a *Archive) readEventLog(ctx context.Context) (*EventLog, error) {
	l := &EventLog{first: 1, tips: map[int]ChainTip{}}
	numbers, unknown, err := a.listEvents(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range unknown {
		l.Problems = append(l.Problems, Problem{ProblemUnknown, name, "walarchive puts no object of this name here"})
	}
	incs := a.Incarnations()
	open := incs[len(incs)-1].Number
	var entries []*eventEntry
	for _, n := range slices.Backward(numbers) {
		if l.last = max(l.last, n); n < l.first {
			break
		}
		e, tip, err := a.readEvent(ctx, n)
		switch {
		case errors.Is(err, ErrDamaged), errors.Is(err, ErrRolledBack), notStored(err, eventObject(n)):
			l.problem(eventObject(n), err.Error())
			continue
		case err != nil:
			return nil, err
		}
		l.tips[n] = tip
		l.Entries++
		entries = append(entries, e)
		if l.first == 1 && e.Rebuilt > 0 {
			l.first = e.Rebuilt
		}
	}
	slices.Reverse(entries)
	l.checkRow(numbers, entries)
	slices.SortStableFunc(l.Problems, func(a, b Problem) int { return strings.Compare(a.Object, b.Object) })
	l.sort(entries, open)
	return l, nil
}

// sort shares the events out to their incarnations.
func (l *EventLog) sort(entries []*eventEntry, open int) {
	all := map[int][]KeyEvent{}
	for _, e := range entries {
		all[e.Incarnation] = append(all[e.Incarnation], e.Events...)
	}
	for inc := range all {
		all[inc] = inOrder(all[inc])
	}
	l.Events = all[open]
	delete(all, open)
	l.Closed = all
}

func (l *EventLog) problem(object, detail string) {
	l.Problems = append(l.Problems, Problem{ProblemEvents, object, detail})
}

// blames reports whether a problem with that object is known.
func (l *EventLog) blames(object string) bool {
	return slices.ContainsFunc(l.Problems, func(p Problem) bool { return p.Object == object })
}

// checkRow looks for entries that are missing, or do not continue the one
// before them. One that names none was written by a host that could not open
// it; whoever reads both knows more.
func (l *EventLog) checkRow(numbers []int, entries []*eventEntry) {
	next := l.first
	for _, n := range numbers {
		if n > next {
			l.problem(eventObject(next), fmt.Sprintf("missing, though later entries are there: %d up to %s", n-next, eventObject(n-1)))
		}
		next = max(next, n+1)
	}
	for _, e := range entries {
		before, read := l.tips[e.Number-1]
		if read && e.Number > l.first && !e.Prev.IsZero() && e.Prev != before.Digest {
			l.problem(eventObject(e.Number), "does not continue the entry before it")
		}
	}
}

// holdAgainst compares the log with the newest entry that the writer of an
// object knew.
func (l *EventLog) holdAgainst(object string, tip *ChainTip) {
	if tip == nil || tip.Number < l.first || l.blames(eventObject(tip.Number)) {
		return
	}
	if tip.Number > l.last {
		l.problem(eventObject(tip.Number), fmt.Sprintf("missing: %s names it, and the log ends before it", object))
	} else if have, read := l.tips[tip.Number]; read && !tip.Digest.IsZero() && have.Digest != tip.Digest {
		l.problem(eventObject(tip.Number), fmt.Sprintf("another entry than the one that %s names", object))
	}
}

// inOrder sorts events by their places, and leaves out those that are there
// twice.
func inOrder(events []KeyEvent) []KeyEvent {
	slices.SortStableFunc(events, func(a, b KeyEvent) int { return a.At.Compare(b.At) })
	var all []KeyEvent
	for i := range events {
		if !slices.ContainsFunc(all[samePlace(all, events[i].At):], func(e KeyEvent) bool { return e.same(&events[i]) }) {
			all = append(all, events[i])
		}
	}
	return all
}

// samePlace is where the events at a place begin, at the end of a sorted list.
func samePlace(events []KeyEvent, at wal.Location) int {
	i, _ := slices.BinarySearchFunc(events, at, func(e KeyEvent, at wal.Location) int { return e.At.Compare(at) })
	return i
}
