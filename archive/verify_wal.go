package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// run verifies neighbouring segments of one branch, each in the light of the
// one before it. Its first is held against the segment before the run, on the
// parent timeline if need be.
func (v *verifier) run(ctx context.Context, b *branch, segments []listed) error {
	var prev *checkedSegment
	if before, ok := v.before(b, segments[0].No); ok {
		// What is wrong with it is said where it is verified itself.
		prev, _ = v.look(ctx, b, before, nil)
	}
	for _, l := range segments {
		seg := b.segment(l.No)
		if prev != nil && prev.seg.No+1 != seg.No {
			prev = nil // a gap, reported as such
		}
		cur, err := v.look(ctx, b, seg, prev)
		object := walObject(b.Number, wal.Name{Kind: wal.KindSegment, Segment: seg})
		if err := v.found(ctx, object, err); err != nil {
			return err
		}
		if err == nil && prev != nil {
			_, err = wal.Join(prev.facts.WAL, cur.facts.WAL, b.Major)
			if err := v.found(ctx, object, err); err != nil {
				return err
			}
		}
		if prev = cur; cur != nil {
			v.count(cur.read)
		}
	}
	return nil
}

// before is the segment that WAL of b continues at number no, if the archive
// has it: on b's timeline or, at b's fork, on its parent.
func (v *verifier) before(b *branch, no wal.SegmentNo) (wal.Segment, bool) {
	if no == 0 {
		return wal.Segment{}, false
	}
	if b.has(no - 1) {
		return b.segment(no - 1), true
	}
	h := b.History
	if h == nil || h.Parent() == 0 || wal.SegmentAt(b.Timeline, h.Begin(), b.SegmentSize).No != no {
		return wal.Segment{}, false
	}
	t := h.TimelineAt(b.segment(no).Start() - 1)
	if p := v.survey.branch(b.Number, t); p != nil && p.has(no-1) {
		return p.segment(no - 1), true
	}
	return wal.Segment{}, false
}

// checkedSegment is a segment that was looked into, for the sake of the next.
type checkedSegment struct {
	seg   wal.Segment
	facts *Facts
	carry *wal.Carry // only at level full
	read  int64      // bytes of plaintext
}

// look verifies one segment by itself, at the level asked for.
func (v *verifier) look(ctx context.Context, b *branch, seg wal.Segment, prev *checkedSegment) (*checkedSegment, error) {
	name := wal.Name{Kind: wal.KindSegment, Segment: seg}
	object := walObject(b.Number, name)
	c := &checkedSegment{seg: seg}
	if v.Level == LevelFacts {
		f, err := v.facts(ctx, KindSegment, object)
		if err != nil {
			return nil, err
		}
		c.facts = f
		return c, checkFacts(f, b, name)
	}
	o, err := v.open(ctx, KindSegment, object)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	c.facts = o.Facts
	if err := checkFacts(o.Facts, b, name); err != nil {
		return nil, err
	}
	scan := wal.ScanOptions{Identity: b.Identity, History: b.historyOf(seg.Timeline)}
	if prev != nil {
		scan.Prev = prev.carry
	}
	scanner, err := v.scan(o, object, seg, scan)
	if err != nil {
		return nil, err
	}
	c.carry, c.read = scanner.Carry(), seg.Size
	return c, nil
}

// historyOf is the branch's own history; of another timeline none is at hand.
func (b *branch) historyOf(t wal.Timeline) *wal.History {
	if t == b.Timeline && b.History != nil {
		return b.History
	}
	if t == 1 {
		return &wal.History{Timeline: 1}
	}
	return nil
}

// checkFacts holds what an object's facts say against its name.
func checkFacts(f *Facts, b *branch, name wal.Name) error {
	switch {
	case f.SystemID != b.SystemID:
		return fmt.Errorf("%w: its facts say system %d", ErrForeign, f.SystemID)
	case f.Size != name.Segment.Size || f.WAL == nil || f.WAL.FirstLSN != name.Segment.Start() || f.WAL.Timeline != name.Segment.Timeline:
		return fmt.Errorf("%w: its facts are of another segment", ErrDamaged)
	}
	return nil
}

// scan reads a whole segment, checks digest, pages and records, and that the
// facts stored with it are those of its content.
func (v *verifier) scan(o *object, object string, seg wal.Segment, so wal.ScanOptions) (*wal.Scanner, error) {
	carried := so.Prev != nil
	scanner := wal.NewScanner(seg, so)
	var digest crypt.Digester
	buf := make([]byte, min(seg.Size, 1<<20))
	for off := int64(0); off < seg.Size; off += int64(len(buf)) {
		if _, err := io.ReadFull(o, buf); err != nil {
			return nil, damaged(object, err)
		}
		if _, err := digest.Write(buf); err != nil {
			return nil, err
		}
		if err := scanner.Next(buf); err != nil {
			return nil, err
		}
	}
	if _, err := o.Read(buf[:1]); err != io.EOF {
		return nil, damaged(object, fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	facts, end := scanner.Close()
	switch got := digest.Sum(); {
	case got != o.Facts.Digest:
		return nil, fmt.Errorf("%w: its digest is %v, its facts say %v", ErrDamaged, got, o.Facts.Digest)
	case end.Kind == wal.EndInvalid && o.Facts.Proof != ProofNone && o.Facts.Proof != ProofHistory:
		return nil, fmt.Errorf("%w: WAL ends at %v: %w", ErrInvalid, end.LSN, end.Cause)
	}
	if !carried && !sameFacts(&facts, o.Facts.WAL) {
		return nil, fmt.Errorf("%w: its facts do not describe its content", ErrDamaged)
	}
	return scanner, nil
}

func sameFacts(a, b *wal.Facts) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// partial verifies one partial segment.
func (v *verifier) partial(ctx context.Context, b *branch, p stored) error {
	err := v.lookPartial(ctx, b, p)
	if err == nil {
		v.count(p.Name.Segment.Size)
	}
	return v.found(ctx, p.Object, err)
}

func (v *verifier) lookPartial(ctx context.Context, b *branch, p stored) error {
	if v.Level == LevelFacts {
		f, err := v.facts(ctx, KindPartial, p.Object)
		if err != nil {
			return err
		}
		return checkFacts(f, b, p.Name)
	}
	o, err := v.open(ctx, KindPartial, p.Object)
	if err != nil {
		return err
	}
	defer o.Close()
	if err := checkFacts(o.Facts, b, p.Name); err != nil {
		return err
	}
	_, err = v.scan(o, p.Object, p.Name.Segment, wal.ScanOptions{Identity: b.Identity, History: b.historyOf(b.Timeline), KeepTail: true})
	return err
}

// small verifies a backup history file. History files were read already.
func (v *verifier) small(ctx context.Context, p stored) error {
	b, _, err := v.readSealed(ctx, objectKind(p.Name), p.Object)
	if err == nil {
		v.count(int64(len(b)))
	}
	return v.found(ctx, p.Object, err)
}
