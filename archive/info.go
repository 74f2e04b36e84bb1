package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"walarchive/archive/wal"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

// Info describes an archive: what a person asks first.
type Info struct {
	Anchor       keys.Anchor       `json:"anchor"`
	Incarnations []IncarnationInfo `json:"incarnations"`
	Epochs       []EpochInfo       `json:"epochs"`
	Quarantined  []string          `json:"quarantined,omitempty"`
	Damaged      []string          `json:"damaged,omitempty"`
	Problems     []Problem         `json:"problems,omitempty"` // seen in passing; Verify looks for more
	Warnings     []string          `json:"warnings,omitempty"`
}

// IncarnationInfo describes one incarnation.
type IncarnationInfo struct {
	Number      int            `json:"number"`
	SystemID    uint64         `json:"system_id,string"`
	Major       int            `json:"postgresql"`
	SegmentSize int64          `json:"segment_size"` // bytes
	Timelines   []TimelineInfo `json:"timelines"`
}

// TimelineInfo describes one timeline's part of the archive.
type TimelineInfo struct {
	Timeline   wal.Timeline `json:"timeline"`
	Parent     wal.Timeline `json:"parent,omitempty"`
	Begin      wal.LSN      `json:"begin,omitempty"` // where it left its parent
	First      string       `json:"first,omitempty"`
	Contiguous string       `json:"contiguous,omitempty"` // the last before the first gap
	Last       string       `json:"last,omitempty"`
	Segments   int          `json:"segments"`
	Partials   int          `json:"partials"`
	Bytes      int64        `json:"bytes"` // stored
	Gaps       []Gap        `json:"gaps,omitempty"`
	Newest     *Newest      `json:"newest,omitempty"`
}

// Newest tells of a timeline's last segment.
type Newest struct {
	Segment    string         `json:"segment"`
	Archived   time.Time      `json:"archived"`
	Host       string         `json:"host"`
	EndLSN     wal.LSN        `json:"end_lsn,omitempty"`     // unknown of a preserved one
	LastCommit *wal.Timestamp `json:"last_commit,omitempty"` // the highest time of a commit or abort in it
	Encrypted  bool           `json:"encrypted"`             // by pg_tde, on its server
	Preserved  bool           `json:"preserved,omitempty"`   // and here as well: its content is not proven
}

// EpochInfo describes an epoch.
type EpochInfo struct {
	Number     int                `json:"number"`
	ID         string             `json:"id"`
	Principals []keys.Ref         `json:"principals"`       // that can unwrap it
	Escrow     []escrow.Recipient `json:"escrow,omitempty"` // whose identities can, too
}

// Info lists the archive and reads the facts of the newest segments. accepted
// are gaps that are known and accepted.
func (a *Archive) Info(ctx context.Context, accepted []SegmentRange) (*Info, error) {
	s, err := a.survey(ctx)
	if err == nil {
		err = s.accept(accepted)
	}
	if err != nil {
		return nil, err
	}
	info := &Info{Anchor: a.Anchor(), Epochs: a.epochInfo(), Damaged: s.Damaged}
	if a.AcceptOverwrites {
		info.Warnings = append(info.Warnings, AcceptsOverwrites)
	}
	for _, objects := range s.Quarantined {
		info.Quarantined = append(info.Quarantined, objects...)
	}
	slices.Sort(info.Quarantined)
	for _, inc := range s.Incarnations {
		i := IncarnationInfo{inc.Number, inc.SystemID, inc.Major, inc.SegmentSize, []TimelineInfo{}}
		for _, b := range s.Branches {
			if b.Number != inc.Number {
				continue
			}
			t, err := a.timelineInfo(ctx, s, b)
			if err != nil {
				return nil, err
			}
			i.Timelines = append(i.Timelines, t)
		}
		info.Incarnations = append(info.Incarnations, i)
		s.missingHistories(inc)
	}
	if a.rolledBack != nil {
		s.problem(ProblemKeys, chainPrefix, a.rolledBack.Error())
	}
	info.Problems = s.Problems
	return info, nil
}

func (a *Archive) epochInfo() []EpochInfo {
	var es []EpochInfo
	for _, e := range a.Epochs() {
		i := EpochInfo{Number: e.Number, ID: e.ID().String(), Escrow: e.Recipients()}
		for _, w := range e.Wraps() {
			i.Principals = append(i.Principals, keys.Ref{Provider: w.Provider, Key: w.Key})
		}
		es = append(es, i)
	}
	return es
}

func (a *Archive) timelineInfo(ctx context.Context, s *survey, b *branch) (TimelineInfo, error) {
	h := s.path(b)
	t := TimelineInfo{Timeline: b.Timeline, Parent: h.Parent(), Begin: h.Begin(), Segments: len(b.Segments), Partials: len(b.Partials), Bytes: b.Bytes}
	if n, any := s.needs(b); any {
		for _, g := range b.gaps(n) {
			t.Gaps = append(t.Gaps, s.split(g)...)
		}
	}
	if len(b.Segments) == 0 {
		return t, nil
	}
	first, last := b.segment(b.Segments[0]), b.segment(b.Segments[len(b.Segments)-1])
	t.First, t.Last, t.Contiguous = first.String(), last.String(), last.String()
	if len(t.Gaps) > 0 {
		t.Contiguous = ""
		if g := t.Gaps[0].first; g.No > first.No {
			t.Contiguous = b.segment(g.No - 1).String()
		}
	}
	newest, err := a.newest(ctx, b, last)
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	if t.Newest = newest; err != nil {
		s.problem(infoProblem(err), segmentObject(b.Number, last), err.Error())
	}
	return t, nil
}

// infoProblem is the kind of problem that keeps the newest segment's facts
// from being read.
func infoProblem(err error) ProblemKind {
	switch {
	case errors.Is(err, ErrDamaged):
		return ProblemDamaged
	case errors.Is(err, ErrRolledBack), errors.Is(err, keys.ErrUnknownEpoch):
		return ProblemKeys
	}
	return ProblemUnreadable
}

func (a *Archive) newest(ctx context.Context, b *branch, seg wal.Segment) (*Newest, error) {
	f, err := a.facts(ctx, KindSegment, b.objects(seg.No)[0])
	if err != nil {
		return nil, err
	}
	n := &Newest{Segment: seg.String(), Archived: f.Time, Host: f.Host, Encrypted: f.Source != nil, Preserved: f.TDE != nil}
	if n.Preserved {
		return n, nil
	}
	if f.WAL == nil {
		return nil, fmt.Errorf("%v: %w: no facts about its WAL", seg, ErrDamaged)
	}
	n.EndLSN = f.WAL.End.LSN
	if x := f.WAL.Xacts; x != nil {
		n.LastCommit = &x.HighestTime
	}
	return n, nil
}

// JSON writes the description for programs.
func (i *Info) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(i)
}

// Text writes the description for people.
func (i *Info) Text(w io.Writer) error {
	p := &printer{w: w}
	p.printf("archive %v\n", i.Anchor)
	for _, inc := range i.Incarnations {
		p.printf("incarnation %d: system identifier %d, PostgreSQL %d, segments of %s\n",
			inc.Number, inc.SystemID, inc.Major, mebibytes(inc.SegmentSize))
		for _, t := range inc.Timelines {
			t.text(p)
		}
	}
	for _, e := range i.Epochs {
		p.printf("epoch %d (%s): opens with %v\n", e.Number, e.ID, e.Principals)
	}
	for _, w := range i.Warnings {
		p.printf("WARNING: %s\n", w)
	}
	for _, b := range i.Problems {
		p.printf("PROBLEM: %v\n", b)
	}
	for _, q := range i.Quarantined {
		p.printf("QUARANTINED: %s\n", q)
	}
	for _, d := range i.Damaged {
		p.printf("DAMAGED, moved away: %s\n", d)
	}
	return p.err
}

func (t *TimelineInfo) text(p *printer) {
	p.printf("  timeline %v: %d segments", t.Timeline, t.Segments)
	if t.Parent != 0 {
		p.printf(", left timeline %v at %v", t.Parent, t.Begin)
	}
	if t.Segments > 0 {
		p.printf(", %s to %s", t.First, t.Last)
	}
	switch {
	case t.Contiguous == t.Last:
	case t.Contiguous == "":
		p.printf(", WITH A GAP AT ITS BEGINNING")
	default:
		p.printf(", CONTIGUOUS ONLY TO %s", t.Contiguous)
	}
	if t.Partials > 0 {
		p.printf(", %d partial", t.Partials)
	}
	p.printf(", %d bytes stored\n", t.Bytes)
	for _, g := range t.Gaps {
		if g.Accepted != "" {
			p.printf("    gap %v: %s\n", g, g.Accepted)
		} else {
			p.printf("    GAP %v\n", g)
		}
	}
	if n := t.Newest; n != nil {
		upto := fmt.Sprintf("WAL up to %v", n.EndLSN)
		if n.Preserved {
			upto = "preserved as its server encrypted it, content not proven"
		}
		p.printf("    newest segment %s, %s, archived %s by %s", n.Segment, upto, n.Archived.Format(time.RFC3339), n.Host)
		if n.LastCommit != nil {
			p.printf(", last commit %v", *n.LastCommit)
		}
		p.printf("\n")
	}
}
