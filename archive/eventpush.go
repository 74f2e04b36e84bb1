package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// record puts into the event log what the WAL file n tells of pg_tde's
// principal keys, and what the key directory says if that is news. facts are
// nil where the plaintext is not known. It gives the newest entry that this
// node knows, nil on a server without pg_tde, and reads the log only when there
// is something to add or this node's note is lost.
func (p *push) record(ctx context.Context, n wal.Name, h *wal.History, facts *wal.Facts) (*ChainTip, error) {
	snapshot, err := p.dir.keySnapshot()
	if err != nil {
		return nil, keyTrouble(err)
	}
	digest, err := digestJSON(snapshot)
	if err != nil {
		return nil, err
	}
	events := recordsIn(facts, p.node())
	if snapshot == nil && len(events) == 0 {
		return nil, nil
	}
	note, known := p.note()
	preserved := facts == nil
	if snapshot != nil && (!known || note.Snapshot != digest || note.Timeline != n.Segment.Timeline || note.Preserved != preserved) {
		events = append(events, KeyEvent{At: endOf(n, facts), Node: p.node(), Snapshot: snapshot, Preserved: preserved})
	}
	tip := note.Tip
	if len(events) > 0 {
		if tip, err = p.appendEvents(ctx, p.inc, events); err != nil {
			return nil, fmt.Errorf("event log of pg_tde's keys: %w", err)
		}
	}
	open := facts != nil && n.Kind == wal.KindSegment && mayBeOpen(facts)
	if len(events) > 0 || open {
		p.changeNote(func(note *eventNote) {
			note.Snapshot, note.Timeline, note.Preserved, note.Tip = digest, n.Segment.Timeline, preserved, tip
			if !known {
				note.addOpen(previous(n.Segment, h))
			}
			if open {
				note.addOpen(n.Segment)
			}
		})
	}
	return &tip, nil
}

// endOf is where the WAL in a file ends.
func endOf(n wal.Name, facts *wal.Facts) wal.Location {
	at := wal.Location{Timeline: n.Segment.Timeline, LSN: n.Segment.End()}
	if facts != nil {
		at.LSN = facts.End.LSN
	}
	return at
}

// recordsIn are the records among a segment's facts, as node's events.
func recordsIn(facts *wal.Facts, node string) []KeyEvent {
	if facts == nil {
		return nil
	}
	var events []KeyEvent
	for _, r := range facts.TDE {
		at := wal.Location{Timeline: facts.Timeline, LSN: r.LSN}
		events = append(events, KeyEvent{At: at, Node: node, Info: r.Info, Payload: r.Payload})
	}
	if facts.Incomplete("tde") {
		events = append(events, KeyEvent{At: wal.Location{Timeline: facts.Timeline, LSN: facts.LastLSN}, Node: node, Cut: true})
	}
	return events
}

// keySnapshot is what the server's key directory says now; nil if it has none.
func (d *DataDir) keySnapshot() (*tde.Snapshot, error) {
	path, found, err := tde.Find(d.Path)
	if err != nil || !found {
		return nil, err
	}
	return tde.TakeSnapshot(path)
}

func digestJSON(snapshot *tde.Snapshot) (crypt.Digest, error) {
	if snapshot == nil {
		return crypt.Digest{}, nil
	}
	b, err := json.Marshal(snapshot)
	return crypt.DigestBytes(b), err
}

// maxTDERecord is the length of pg_tde's longest record that matters, with its
// headers, in bytes.
const maxTDERecord = wal.RecordHeaderSize + 5 + 1176

// mayBeOpen reports whether a segment can end within such a record: its header
// may be cut too.
func mayBeOpen(f *wal.Facts) bool {
	if f.Open == nil || f.Open.Length > maxTDERecord {
		return false
	}
	rmgr, visible := f.Open.Rmgr()
	return !visible || rmgr == wal.RmgrTDE
}

// mayContinue reports whether a segment can begin with the rest of one.
func mayContinue(f *wal.Facts) bool {
	return f.Continuation != nil && f.Continuation.Left < maxTDERecord
}

// previous is the segment that seg continues, on a parent timeline if seg is
// the first on its own.
func previous(seg wal.Segment, h *wal.History) wal.Segment {
	if seg.No == 0 {
		return wal.Segment{}
	}
	if h != nil {
		seg.Timeline = h.TimelineAt(seg.Start() - 1)
	}
	seg.No--
	return seg
}

// recordCrossing puts into the event log a record of pg_tde's that crosses from
// the segment before into this file, or from this one into the next. It is
// called once the file is stored: of two neighbours that are pushed at once,
// the later finds the other, either by its name in the note or in the store.
// Where no such record can be, it costs no request.
func (p *push) recordCrossing(ctx context.Context, n wal.Name, h *wal.History, facts *wal.Facts) error {
	note, known := p.note()
	if !known {
		return nil // no pg_tde here
	}
	if before := previous(n.Segment, h); slices.Contains(note.Open, before) {
		if mayContinue(facts) {
			have, err := p.neighbour(ctx, before)
			if err != nil {
				return err
			}
			if err := p.recordJoined(ctx, have, facts); err != nil {
				return err
			}
		}
		p.changeNote(func(note *eventNote) { note.dropOpen(before) })
	}
	if n.Kind == wal.KindSegment && mayBeOpen(facts) {
		have, err := p.neighbour(ctx, n.Segment.Next())
		if err != nil {
			return err
		}
		return p.recordJoined(ctx, facts, have)
	}
	return nil
}

// neighbour reads the facts of a segment that may be stored; nil if it is not,
// or cannot be read, which verify tells.
func (p *push) neighbour(ctx context.Context, seg wal.Segment) (*wal.Facts, error) {
	f, err := p.facts(ctx, KindSegment, segmentObject(p.inc.Number, seg))
	if lasting(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("event log of pg_tde's keys: %w", err)
	}
	return f.WAL, nil
}

func (p *push) recordJoined(ctx context.Context, first, second *wal.Facts) error {
	events, err := crossing(first, second, p.inc.Major, p.node())
	if err != nil || len(events) == 0 {
		return nil // verify tells of neighbours that do not fit
	}
	tip, err := p.appendEvents(ctx, p.inc, events)
	if err != nil {
		return fmt.Errorf("event log of pg_tde's keys: %w", err)
	}
	p.changeNote(func(note *eventNote) { note.Tip = tip })
	return nil
}

// crossing are the records of pg_tde's that begin in one segment and end in the
// next: one or none.
func crossing(first, second *wal.Facts, major int, node string) ([]KeyEvent, error) {
	if first == nil || second == nil {
		return nil, nil
	}
	c, err := wal.Join(first, second, major)
	if err != nil || c == nil || c.State == wal.CrossingVoid {
		return nil, err
	}
	c.Adds.Timeline, c.Adds.LastLSN = first.Timeline, first.LastLSN
	return recordsIn(&c.Adds, node), nil
}
