package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/storage"
)

// The event log says what pg_tde did to principal keys, and where along the
// WAL; the package comment has its form. An entry that is missing, that takes
// another's place or that was rolled back shows, though push and get do not
// depend on the log. Entries that rebuild it take the place of all before them:
// see RebuildHistory.

// KeyEvent is one thing that the event log knows: a record of pg_tde's, or what
// a node's key directory said.
type KeyEvent struct {
	// At is where: of a record its own place, of a snapshot the end of the WAL
	// that was being archived when it was taken, which may have been later.
	At   wal.Location `json:"at"`
	Node string       `json:"node"` // that archived it: host:data directory

	Info     wal.TDEInfo   `json:"info,omitempty"`
	Payload  []byte        `json:"payload,omitempty"` // of the record of that kind
	Snapshot *tde.Snapshot `json:"snapshot,omitempty"`
	// Preserved, with a snapshot: the node's WAL is archived as its server
	// encrypted it. What records it has is not known.
	Preserved bool        `json:"preserved,omitempty"`
	Source    *tde.Source `json:"source,omitempty"` // rebuilt from facts: what a lost snapshot said of the server's key
	Cut       bool        `json:"cut,omitempty"`    // the segment that ends here has more records than its facts
}

// same reports whether two events are one: nodes that archive one WAL see the
// same records.
func (e *KeyEvent) same(f *KeyEvent) bool {
	if e.At != f.At || e.Info != f.Info || e.Cut != f.Cut || !bytes.Equal(e.Payload, f.Payload) {
		return false
	}
	if e.Info != 0 || e.Cut {
		return true
	}
	return e.Node == f.Node && e.Preserved == f.Preserved && sameJSON(e.Snapshot, f.Snapshot) && sameJSON(e.Source, f.Source)
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// eventEntry is the content of an entry, as JSON.
type eventEntry struct {
	Version     int          `json:"v"`
	Number      int          `json:"n"`
	Prev        crypt.Digest `json:"prev"`              // of the content before; zeros: of none, or that did not authenticate
	Rebuilt     int          `json:"rebuilt,omitempty"` // the log begins at this entry: this is the last that rebuilt it
	Incarnation int          `json:"incarnation"`
	Events      []KeyEvent   `json:"events"`
}

const eventVersion = 1

// maxEventEntry bounds the content of an entry, in bytes. The key directory of
// a server with some thousand encrypted databases fits.
const maxEventEntry = 4 << 20

// errEntryTooLarge: more than maxEventEntry.
var errEntryTooLarge = errors.New("more than an entry of the event log takes")

func (e *eventEntry) encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err == nil && len(b) > maxEventEntry {
		err = errEntryTooLarge
	}
	return b, err
}

// parseEventEntry reads the content of entry number n. Whatever is sealed was
// written by a holder of the archive's keys: what is not as this version writes
// it comes from a newer one.
func parseEventEntry(n int, b []byte) (*eventEntry, error) {
	e := new(eventEntry)
	if err := decodeStrict(b, e); err != nil {
		return nil, err
	}
	if e.Version != eventVersion || e.Number != n {
		return nil, fmt.Errorf("entry %d, version %d: %w", e.Number, e.Version, ErrNewer)
	}
	return e, nil
}

// readEvent reads entry number n; its digest comes with it.
func (a *Archive) readEvent(ctx context.Context, n int) (*eventEntry, ChainTip, error) {
	name := eventObject(n)
	o, err := a.open(ctx, KindEvents, name)
	if err != nil {
		return nil, ChainTip{}, err
	}
	defer o.Close()
	if o.Facts.Size > maxEventEntry {
		return nil, ChainTip{}, damaged(name, fmt.Errorf("%d bytes: %w: %w", o.Facts.Size, errEntryTooLarge, seal.ErrCorrupt))
	}
	b := make([]byte, o.Facts.Size)
	if err := o.ReadFull(b); err != nil {
		return nil, ChainTip{}, damaged(name, err)
	}
	e, err := parseEventEntry(n, b)
	if err != nil {
		return nil, ChainTip{}, fmt.Errorf("%s: %w", name, err)
	}
	return e, ChainTip{n, crypt.DigestBytes(b)}, o.Tip
}

// listEvents lists the numbers of the entries, rising, and the names in their
// place that are none.
func (a *Archive) listEvents(ctx context.Context) (numbers []int, unknown []string, err error) {
	for info, err := range a.bucket.List(ctx, eventPrefix, "") {
		if err != nil {
			return nil, nil, fmt.Errorf("list the event log: %w", err)
		}
		if n, ok := parseEventObject(info.Name); ok {
			numbers = append(numbers, n)
		} else {
			unknown = append(unknown, info.Name)
		}
	}
	slices.Sort(numbers) // names of more than eight digits are listed among the others
	return numbers, unknown, nil
}

// recentEvents reads the newest entries, as many as limit, the newest first. It
// ends at one that cannot be opened: whoever reads the log tells of that,
// and archiving goes on. tip is what the next entry goes on from.
func (a *Archive) recentEvents(ctx context.Context, limit int) (recent []*eventEntry, tip ChainTip, err error) {
	numbers, _, err := a.listEvents(ctx)
	if err != nil || len(numbers) == 0 {
		return nil, ChainTip{}, err
	}
	tip.Number = numbers[len(numbers)-1]
	for n := tip.Number; n > 0 && len(recent) < limit; n-- {
		e, at, err := a.readEvent(ctx, n)
		if lasting(err) {
			return recent, tip, nil
		}
		if err != nil {
			return nil, ChainTip{}, err
		}
		if n == tip.Number {
			tip = at
		}
		recent = append(recent, e)
	}
	return recent, tip, nil
}

// lasting reports whether err says that an object cannot be read here, now or
// later: archiving goes on without what it says.
func lasting(err error) bool {
	var wrong *keys.WrongKeyError
	for _, kind := range []error{ErrDamaged, ErrNewer, ErrRolledBack, seal.ErrVersion, storage.ErrNotExist, keys.ErrNoKey} {
		if errors.Is(err, kind) && !errors.Is(err, keys.ErrUnavailable) {
			return true
		}
	}
	return errors.As(err, &wrong) && !errors.Is(err, keys.ErrUnavailable)
}

// appendEvents adds an entry with those events that the newest entries do not
// have. It gives the newest entry afterwards.
func (a *Archive) appendEvents(ctx context.Context, inc Incarnation, events []KeyEvent) (ChainTip, error) {
	for range appendTries {
		recent, tip, err := a.recentEvents(ctx, recentEntries)
		if err != nil {
			return ChainTip{}, err
		}
		fresh := slices.DeleteFunc(slices.Clone(events), func(e KeyEvent) bool { return said(recent, inc, &e) })
		if len(fresh) == 0 {
			return tip, nil
		}
		next, err := a.putEvents(ctx, inc, &eventEntry{Number: tip.Number + 1, Prev: tip.Digest, Events: fresh})
		if errors.Is(err, errEntryTooLarge) {
			a.Log.Warn("what pg_tde's key directory says is not in the event log", "reason", err)
			events = slices.DeleteFunc(fresh, func(e KeyEvent) bool { return e.Snapshot != nil })
			continue
		}
		if !errors.Is(err, storage.ErrExist) {
			return next, err
		}
	}
	return ChainTip{}, errors.New("the event log kept changing under this command")
}

// said reports whether recent entries, the newest first, have e: a record
// anywhere, a snapshot as the newest of its node.
func said(recent []*eventEntry, inc Incarnation, e *KeyEvent) bool {
	for _, entry := range recent {
		if entry.Incarnation != inc.Number {
			continue
		}
		for i := range slices.Backward(entry.Events) {
			have := &entry.Events[i]
			if e.Snapshot == nil && have.same(e) {
				return true
			}
			if e.Snapshot != nil && have.Snapshot != nil && have.Node == e.Node {
				return have.At.Timeline == e.At.Timeline && have.Preserved == e.Preserved && sameJSON(have.Snapshot, e.Snapshot)
			}
		}
	}
	return false
}

// recentEntries is how far back an append looks for what it is about to say.
const recentEntries = 8

// putEvents seals and stores an entry under its number.
func (a *Archive) putEvents(ctx context.Context, inc Incarnation, e *eventEntry) (ChainTip, error) {
	e.Version, e.Incarnation = eventVersion, inc.Number
	b, err := e.encode()
	if err != nil {
		return ChainTip{}, err
	}
	tip := ChainTip{e.Number, crypt.DigestBytes(b)}
	f := &Facts{Size: int64(len(b)), Digest: tip.Digest, SystemID: inc.SystemID}
	return tip, a.putSealed(ctx, KindEvents, eventObject(e.Number), f, content{plain: b})
}
