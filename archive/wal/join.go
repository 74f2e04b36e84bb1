package wal

import (
	"errors"
	"fmt"
)

// ErrJoin says that two segments' facts are not of neighbours: no server
// wrote or would replay them one after the other.
var ErrJoin = errors.New("segments do not follow each other")

// Crossing is a record that starts in one segment and ends in a later one, as
// far as the facts of the first two know it.
type Crossing struct {
	LSN    LSN
	Length uint32 // bytes
	State  CrossingState
	// Adds is what the record adds to the facts of the segment in which it
	// starts: its count only if that segment does not show its header, and
	// its time, restore point and so on. The other members are empty.
	Adds Facts
}

// CrossingState is how much is known of a Crossing.
type CrossingState uint8

const (
	CrossingWhole CrossingState = iota + 1 // all of it, and its CRC is right
	CrossingCut                            // longer than the facts hold: Adds has what could be read
	CrossingVoid                           // never finished, replay skips it: its count is one too many
)

func (s CrossingState) String() string {
	switch s {
	case CrossingWhole:
		return "whole"
	case CrossingCut:
		return "cut"
	case CrossingVoid:
		return "void"
	}
	return "unknown"
}

// Join holds the facts of neighbouring segments together, next directly
// behind prev and of the same timeline or a descendant, and decodes the record
// that crosses; nil if none does. major is PostgreSQL's. Facts that contradict
// each other give ErrJoin.
func Join(prev, next *Facts, major int) (*Crossing, error) {
	if err := follows(prev, next); err != nil {
		return nil, err
	}
	if prev.Open == nil {
		return nil, nil
	}
	c := &Crossing{LSN: prev.Open.LSN, Length: prev.Open.Length}
	if next.Continuation == nil {
		c.State = CrossingVoid
		return c, nil
	}
	o := reassemble(prev.Open, next.Continuation, major)
	if o.got == o.length && !o.sound() {
		return nil, fmt.Errorf("%w: the record at %v that crosses has a wrong CRC", ErrJoin, o.lsn)
	}
	c.State = CrossingCut
	if o.got == o.length {
		c.State = CrossingWhole
	}
	c.Adds = o.adds(len(prev.Open.Head) < RecordHeaderSize)
	return c, nil
}

// follows checks all that two neighbours' facts say about each other.
func follows(prev, next *Facts) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrJoin, fmt.Sprintf(format, args...))
	}
	open, rest := prev.Open, next.Continuation
	switch {
	case next.FirstLSN != prev.LastLSN+1:
		return wrong("one ends at %v, the next begins at %v", prev.LastLSN, next.FirstLSN)
	case prev.End.Kind == EndInvalid:
		return wrong("valid WAL ends at %v", prev.End.LSN)
	case open == nil && rest == nil:
		if prev.LastRecord != 0 && next.FirstPrev != 0 && next.FirstPrev != prev.LastRecord {
			return wrong("the record at %v links back to %v, want %v", next.FirstRecord, next.FirstPrev, prev.LastRecord)
		}
	case open == nil:
		if prev.LastRecord != 0 || prev.Continuation == nil || rest.Left != prev.Continuation.Left-room(prev.FirstLSN, next.FirstLSN) {
			return wrong("%d bytes of a record continue, but none is open", rest.Left)
		}
	case rest == nil:
		if len(next.Overwrites) == 0 || next.Overwrites[0].Void != open.LSN {
			return wrong("the record at %v does not continue", open.LSN)
		}
	case !fits(open, rest, next.FirstLSN):
		return wrong("the record at %v, %d bytes long, continues with %d", open.LSN, open.Length, rest.Left)
	case next.FirstPrev != 0 && next.FirstPrev != open.LSN:
		return wrong("the record at %v links back to %v, want %v", next.FirstRecord, next.FirstPrev, open.LSN)
	}
	return nil
}

// fits reports whether the rest is what the open record lacks at the end of
// its segment.
func fits(open *OpenRecord, rest *Continuation, end LSN) bool {
	here := room(open.LSN, end)
	return here < open.Length && rest.Left == open.Length-here && len(open.Head) == int(min(here, headSize))
}

// room is how many bytes of records fit between two positions of one segment,
// the second a page's: page headers do not count.
func room(from, to LSN) uint32 {
	n := uint32(to - from)
	pages := n / PageSize
	if from%PageSize != 0 {
		return n - pages*ShortHeaderSize
	}
	return n - pages*ShortHeaderSize - (LongHeaderSize - ShortHeaderSize)
}

// reassemble gives the record as far as it is known from its beginning on.
func reassemble(open *OpenRecord, rest *Continuation, major int) *openRecord {
	o := &openRecord{}
	o.reset(open.LSN, open.Length, major)
	o.feed(open.Head)
	if uint32(len(open.Head)) == open.Length-rest.Left {
		o.feed(rest.Head)
	}
	return o
}

// adds is what the record tells; counted says whether its header is news.
func (o *openRecord) adds(counted bool) Facts {
	if o.got < RecordHeaderSize {
		return Facts{}
	}
	c := collector{major: o.major, room: fullRooms()}
	if counted {
		c.counts[o.header.Rmgr]++
	}
	c.note(o.record(), &o.xact)
	return c.close(End{})
}
