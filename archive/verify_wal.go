package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
)

// run verifies neighbouring segments of one branch, each in the light of the
// one before it. Its first is held against the segment before the run, on the
// parent timeline if need be.
func (v *verifier) run(ctx context.Context, b *branch, segments []wal.SegmentNo) error {
	var prev *checkedSegment
	if before, ok := v.survey.before(b, segments[0]); ok {
		// What is wrong with it is said where it is verified itself.
		for _, object := range v.survey.branch(b.Number, before.Timeline).objects(before.No) {
			c, err := v.look(ctx, b, before, object, nil)
			prev = better(prev, c, err)
		}
	}
	for _, no := range segments {
		if prev != nil && prev.seg.No+1 != no {
			prev = nil // a gap, reported as such
		}
		cur, err := v.segment(ctx, b, b.segment(no), prev)
		if err != nil {
			return err
		}
		prev = cur
	}
	return nil
}

// segment verifies all objects of one segment and returns the one that says
// most about it. A key that is gone is no problem as long as another object
// opens without it.
func (v *verifier) segment(ctx context.Context, b *branch, seg wal.Segment, prev *checkedSegment) (*checkedSegment, error) {
	var best *checkedSegment
	closed := map[string]error{}
	objects := b.objects(seg.No)
	for _, object := range objects {
		c, err := v.look(ctx, b, seg, object, prev)
		switch {
		case errors.Is(err, ErrTDE):
			closed[object], err = err, nil
		case notStored(err, object) && len(objects) == 1:
			err = v.vanished(ctx, b, seg)
		}
		if err := v.found(ctx, object, err); err != nil {
			return nil, err
		}
		if c != nil {
			v.count(c.read)
		}
		best = better(best, c, nil)
	}
	for object, err := range closed {
		if best != nil && best.wal != nil {
			v.notice("%s cannot be opened, another copy can: %v", object, err)
		} else if err := v.found(ctx, object, err); err != nil {
			return nil, err
		}
	}
	if best != nil && best.unread != nil {
		v.unproven(best.unread)
	}
	return best, nil
}

// better is the one of two copies of a segment that says more about it.
func better(a, b *checkedSegment, err error) *checkedSegment {
	if b == nil || err != nil && !errors.Is(err, wal.ErrJoin) || a != nil && (a.wal != nil || b.wal == nil) {
		return a
	}
	return b
}

func segmentObject(inc int, seg wal.Segment) string {
	return walObject(inc, wal.Name{Kind: wal.KindSegment, Segment: seg})
}

var errVanished = errors.New("went away while verify was running, although WAL before it is there")

// vanished says what it means that a listed segment is not there any more:
// nothing, if all WAL before it has gone as well, which is how expiry works.
func (v *verifier) vanished(ctx context.Context, b *branch, seg wal.Segment) error {
	path := v.survey.path(b)
	for _, t := range append(path.Ancestors(), b.Timeline) {
		end := seg.Start()
		if at, ok := path.SwitchOf(t); ok {
			end = wal.SegmentAt(t, at, seg.Size).Start()
		}
		for info, err := range v.bucket.List(ctx, timelinePrefix(b.Number, t), "") {
			if err != nil {
				return err
			}
			s, ok := parseWALObject(info.Name, seg.Size)
			if !ok || s.Name.Kind != wal.KindSegment {
				continue
			}
			if s.Name.Segment.Start() < end {
				return errVanished
			}
			break
		}
	}
	v.notice("%v and all before it were removed while verify was running", seg)
	return nil
}

// checkedSegment is a segment that was looked into, for the sake of the next.
type checkedSegment struct {
	seg    wal.Segment
	wal    *wal.Facts // nil: of a preserved segment that was not decrypted
	unread error      // why it was not
	carry  *wal.Carry // only at level full
	read   int64      // bytes of plaintext, or of ciphertext
}

// look verifies one object of a segment at the level asked for, against the
// segment before it if that is known. One that does not continue it gives
// wal.ErrJoin, and is verified by itself; with any other error there is no
// checkedSegment.
func (v *verifier) look(ctx context.Context, b *branch, seg wal.Segment, object string, prev *checkedSegment) (*checkedSegment, error) {
	o, err := v.openAtLevel(ctx, b, wal.Name{Kind: wal.KindSegment, Segment: seg}, object)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.Facts.TDE != nil {
		return v.lookPreserved(ctx, b, seg, o, object, prev)
	}
	c := &checkedSegment{seg: seg, wal: o.Facts.WAL}
	broken := c.continues(prev, b.Major)
	scan := wal.ScanOptions{Identity: b.Identity, History: b.historyOf(seg.Timeline)}
	if prev != nil && broken == nil {
		scan.Prev = prev.carry
	}
	if v.Level == LevelFull {
		scanner, err := v.scan(o, object, seg, scan)
		if err != nil {
			return nil, err
		}
		c.carry, c.read = scanner.Carry(), seg.Size
	}
	return c, broken
}

// continues reports, as a wal.ErrJoin, that the segment does not continue prev.
// Where one of them is not known, nothing is wrong.
func (c *checkedSegment) continues(prev *checkedSegment, major int) error {
	if prev == nil || prev.wal == nil || c.wal == nil {
		return nil
	}
	_, err := wal.Join(prev.wal, c.wal, major)
	return err
}

// openAtLevel opens the object of a segment, as far as the level looks into
// it, and checks its facts.
func (v *verifier) openAtLevel(ctx context.Context, b *branch, name wal.Name, object string) (*object, error) {
	n := int64(-1)
	if v.Level == LevelFacts {
		n = int64(seal.HeadSize)
	}
	o, err := v.openRange(ctx, objectKind(name), object, n)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(o.Tip, checkFacts(o.Facts, b, name, object)); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	v.names(object, o.Facts)
	return o, nil
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
func checkFacts(f *Facts, b *branch, name wal.Name, object string) error {
	switch {
	case f.SystemID != b.SystemID:
		return fmt.Errorf("%w: its facts say system %d", ErrForeign, f.SystemID)
	case f.TDE != nil:
		return checkPreserved(f, name, object)
	case f.Size != name.Segment.Size || f.WAL == nil || f.WAL.FirstLSN != name.Segment.Start() || f.WAL.Timeline != name.Segment.Timeline:
		return fmt.Errorf("%w: its facts are of another segment", ErrDamaged)
	case name.Kind == wal.KindSegment && f.WAL.End.Kind == wal.EndInvalid:
		return fmt.Errorf("%w: WAL ends at %v", ErrInvalid, f.WAL.End.LSN)
	}
	return nil
}

// scan reads a whole segment, checks digest, pages and records, and that the
// facts stored with it are those of its content.
func (v *verifier) scan(o *object, object string, seg wal.Segment, so wal.ScanOptions) (*wal.Scanner, error) {
	scanner := wal.NewScanner(seg, so)
	var digest crypt.Digester
	if err := passOn(o, object, seg.Size, io.MultiWriter(&digest, scanning{scanner})); err != nil {
		return nil, err
	}
	facts, end := scanner.Close()
	switch got := digest.Sum(); {
	case got != o.Facts.Digest:
		return nil, fmt.Errorf("%w: its digest is %v, its facts say %v", ErrDamaged, got, o.Facts.Digest)
	case end.Kind == wal.EndInvalid && o.Facts.Proof != ProofNone && o.Facts.Proof != ProofHistory:
		return nil, fmt.Errorf("%w: WAL ends at %v: %w", ErrInvalid, end.LSN, end.Cause)
	case !sameFacts(&facts, o.Facts.WAL):
		return nil, fmt.Errorf("%w: its facts do not describe its content", ErrDamaged)
	}
	return scanner, nil
}

// passOn gives the content of an object, which must be of size bytes, to w
// in pieces of whole pages.
func passOn(o *object, name string, size int64, w io.Writer) error {
	buf := make([]byte, min(size, 1<<20))
	for off := int64(0); off < size; off += int64(len(buf)) {
		if _, err := io.ReadFull(o, buf); err == io.EOF || err == io.ErrUnexpectedEOF {
			return fmt.Errorf("%w: it is shorter than its facts say", ErrDamaged)
		} else if err != nil {
			return damaged(name, err)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	switch n, err := o.Read(buf[:1]); {
	case n > 0:
		return fmt.Errorf("%w: it is longer than its facts say", ErrDamaged)
	case err != io.EOF:
		return damaged(name, err)
	}
	return nil
}

// scanning writes into a scanner.
type scanning struct{ *wal.Scanner }

func (s scanning) Write(p []byte) (int, error) { return len(p), s.Next(p) }

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
	o, err := v.openAtLevel(ctx, b, p.Name, p.Object)
	if err != nil {
		return err
	}
	defer o.Close()
	if o.Facts.TDE != nil {
		return v.lookPreservedPartial(ctx, b, p, o)
	}
	if v.Level == LevelFacts {
		return nil
	}
	_, err = v.scan(o, p.Object, p.Name.Segment, wal.ScanOptions{Identity: b.Identity, History: b.historyOf(b.Timeline), KeepTail: true})
	return err
}

// small verifies a backup history file. History files were read already.
func (v *verifier) small(ctx context.Context, p stored) error {
	f, err := v.readSealed(ctx, objectKind(p.Name), p.Object)
	if err == nil {
		v.count(f.facts.Size)
	}
	return v.found(ctx, p.Object, err)
}
