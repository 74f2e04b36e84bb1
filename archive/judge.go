package archive

import (
	"context"
	"fmt"

	"walarchive/archive/wal"
)

// judge decides whether what a reading found may be stored, under which name,
// and what proves where its WAL ends.
func (p *push) judge(ctx context.Context, s *segmentFile, r *reading) (wal.Name, Proof, error) {
	switch r.End.Kind {
	case wal.EndFull:
		return p.name, ProofFull, nil
	case wal.EndSwitch:
		return p.name, ProofSwitch, nil
	}
	if r.End.LSN <= p.name.Segment.Start() {
		return p.name, "", p.refuse(s, r) // no WAL of this name in it at all
	}
	left, err := p.forksIn(ctx, p.name.Segment)
	if err != nil {
		return p.name, "", err
	}
	for _, at := range left {
		switch {
		case p.name.Kind == wal.KindPartial && r.End.LSN >= at:
			return p.name, ProofHistory, nil
		case p.name.Kind == wal.KindSegment && r.End.LSN == at:
			return wal.Name{Kind: wal.KindPartial, Segment: p.name.Segment}, ProofHistory, nil
		}
	}
	if p.name.Kind == wal.KindPartial {
		return p.name, ProofNone, nil
	}
	return p.name, "", p.refuse(s, r)
}

// refuse says why a segment is not sound WAL.
func (p *push) refuse(s *segmentFile, r *reading) error {
	if r.Identity != (wal.Identity{}) && r.Identity != p.inc.Identity {
		err := fmt.Errorf("%w: the file is of %s, this server is %s", ErrForeign, describe(r.Identity), describe(p.inc.Identity))
		return advise(err, "was it copied into pg_wal by hand? %s", unsoundHint)
	}
	e := s.diagnose(r.End)
	if e == nil {
		return unsound(r.End.Cause)
	}
	err := unsound(fmt.Errorf("%w; %w", r.End.Cause, e))
	if hint := hintOf(e); hint != "" {
		return advise(err, "%s; %s", hint, unsoundHint)
	}
	return err
}

// keyTrouble tells trouble with pg_tde's keys from trouble with the archive's.
func keyTrouble(err error) error {
	err = fmt.Errorf("%w: %w", ErrTDE, err)
	if hintOf(err) == "" {
		return advise(err, "bring the server's own key directory, whole and as it is now")
	}
	return err
}

// forksIn lists where known child timelines leave the timeline of seg, as far
// as that lies in seg or at its end.
func (p *push) forksIn(ctx context.Context, seg wal.Segment) ([]wal.LSN, error) {
	local, err := p.dir.histories()
	if err != nil {
		return nil, err
	}
	stored, err := p.following(ctx, p.inc, seg.Timeline)
	if err != nil {
		return nil, err
	}
	var at []wal.LSN
	for _, h := range append(local, stored...) {
		if lsn, ok := h.SwitchOf(seg.Timeline); ok && lsn > seg.Start() && lsn <= seg.End() {
			at = append(at, lsn)
		}
	}
	return at, nil
}

// history finds the history of a timeline: in pg_wal, else in the archive,
// else nil. Timeline 1 has none.
func (p *push) history(ctx context.Context, t wal.Timeline) (*wal.History, error) {
	if t == 1 {
		return &wal.History{Timeline: 1}, nil
	}
	local, err := p.dir.histories()
	if err != nil {
		return nil, err
	}
	for i := range local {
		if local[i].Timeline == t {
			return &local[i], nil
		}
	}
	return p.storedHistory(ctx, p.inc, t)
}
