package wal

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxHistorySize bounds a history file, in bytes. Each promotion adds a line
// of some 40 to 100 bytes.
const MaxHistorySize = 1 << 20

// ErrHistory says that bytes are no history file of the timeline in question.
var ErrHistory = errors.New("not a valid history file")

// History is where a timeline comes from: the content of its history file,
// 00000003.history. A timeline without such a file, as the first always is,
// has the History with nothing but its number.
type History struct {
	Timeline Timeline
	Entries  []HistoryEntry // its ancestors, the oldest first
}

// HistoryEntry is a line of a history file: the ancestor that was left, and
// where. The byte at Switch is the first that is not the ancestor's.
type HistoryEntry struct {
	Parent Timeline
	Switch LSN
	Reason string // for people: no recovery target specified
}

// ParseHistory reads the history file of timeline t: lines of a timeline, an
// LSN and any text, between white space; empty lines and those that begin
// with # are comments. As in PostgreSQL the timelines must rise and stay
// below t (readTimeLineHistory). Beyond that the LSNs must not fall, there
// must be an entry, and the last line must be ended, for PostgreSQL writes no
// other and a cut file could name a wrong fork.
func ParseHistory(t Timeline, b []byte) (History, error) {
	h := History{Timeline: t}
	if len(b) > MaxHistorySize {
		return History{}, h.invalid("more than %d bytes", MaxHistorySize)
	}
	if !bytes.HasSuffix(b, []byte("\n")) {
		return History{}, h.invalid("its last line is cut off")
	}
	var n int
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		e, err := parseHistoryEntry(line)
		if err == nil {
			err = h.follows(e)
		}
		if err != nil {
			return History{}, h.invalid("line %d: %v", n, err)
		}
		h.Entries = append(h.Entries, e)
	}
	if len(h.Entries) == 0 {
		return History{}, h.invalid("it names no ancestor")
	}
	return h, nil
}

func parseHistoryEntry(line string) (HistoryEntry, error) {
	tli, rest := cutSpace(line)
	lsn, reason := cutSpace(rest)
	e := HistoryEntry{Reason: reason}
	var err error
	if e.Parent, err = ParseTimeline(tli); err != nil {
		return HistoryEntry{}, err
	}
	if e.Switch, err = ParseLSN(lsn); err != nil {
		return HistoryEntry{}, err
	}
	return e, nil
}

func cutSpace(s string) (word, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// check reports what ParseHistory would refuse in a history made otherwise.
func (h History) check() error {
	if h.Timeline == 0 {
		return h.invalid("there is no timeline 0")
	}
	sofar := History{Timeline: h.Timeline}
	for _, e := range h.Entries {
		if err := sofar.follows(e); err != nil {
			return h.invalid("%v", err)
		}
		sofar.Entries = append(sofar.Entries, e)
	}
	return nil
}

// follows reports why e cannot come next.
func (h History) follows(e HistoryEntry) error {
	switch last := h.last(); {
	case e.Parent >= h.Timeline:
		return fmt.Errorf("timeline %v is no ancestor of %v", e.Parent, h.Timeline)
	case e.Parent <= last.Parent:
		return fmt.Errorf("timeline %v after %v", e.Parent, last.Parent)
	case e.Switch == 0 || e.Switch < last.Switch:
		return fmt.Errorf("switch at %v after %v", e.Switch, last.Switch)
	}
	return nil
}

func (h History) invalid(format string, args ...any) error {
	return fmt.Errorf("history of timeline %v: %w: %s", h.Timeline, ErrHistory, fmt.Sprintf(format, args...))
}

func (h History) last() HistoryEntry {
	if len(h.Entries) == 0 {
		return HistoryEntry{}
	}
	return h.Entries[len(h.Entries)-1]
}

// Bytes is the history file that PostgreSQL would write: a line for each
// entry, with an empty one between. Comments are not kept.
func (h History) Bytes() []byte {
	var b bytes.Buffer
	for i, e := range h.Entries {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strconv.FormatUint(uint64(e.Parent), 10))
		fmt.Fprintf(&b, "\t%v\t%s\n", e.Switch, e.Reason)
	}
	return b.Bytes()
}

// Begin is where the timeline left its parent: its first own byte. It is 0
// for a timeline without parent.
func (h History) Begin() LSN { return h.last().Switch }

// Parent is the timeline that was left at Begin, 0 if there is none.
func (h History) Parent() Timeline { return h.last().Parent }

// Ancestors are the timelines before this one, the oldest first.
func (h History) Ancestors() []Timeline {
	ts := make([]Timeline, len(h.Entries))
	for i, e := range h.Entries {
		ts[i] = e.Parent
	}
	return ts
}

// Contains reports whether t is the timeline itself or one of its ancestors.
func (h History) Contains(t Timeline) bool {
	_, ancestor := h.SwitchOf(t)
	return ancestor || t == h.Timeline
}

// SwitchOf is where the ancestor t was left: bytes from there on are not part
// of this history. It is false if t is not an ancestor.
func (h History) SwitchOf(t Timeline) (LSN, bool) {
	for _, e := range h.Entries {
		if e.Parent == t {
			return e.Switch, true
		}
	}
	return 0, false
}

// TimelineAt is the timeline of this history to which the byte at lsn belongs
// (PostgreSQL: tliOfPointInHistory).
func (h History) TimelineAt(lsn LSN) Timeline {
	for _, e := range h.Entries {
		if lsn < e.Switch {
			return e.Parent
		}
	}
	return h.Timeline
}
