package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/keys"
)

// errLevel: at this level, nothing preserved is decrypted.
var errLevel = errors.New("only level full decrypts what was preserved")

// checkPreserved holds the facts of a preserved segment against its name: they
// must be enough to decrypt it with nothing but the principal key.
func checkPreserved(f *Facts, name wal.Name, object string) error {
	if f.Size != name.Segment.Size || f.WAL != nil || f.Proof != ProofPreserved {
		return fmt.Errorf("%w: its facts are not those of a preserved segment", ErrDamaged)
	}
	k, err := f.TDE.Open(nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s, ok := parseWALObject(object, name.Segment.Size)
	source, err := k.Source(name.Segment)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case !source.Encrypted():
		return fmt.Errorf("%w: its keys are not those of the segment", ErrDamaged)
	case ok && s.Node != "" && s.Node != k.Node(name.Segment):
		return fmt.Errorf("%w: its keys are those of node %s", ErrDamaged, k.Node(name.Segment))
	}
	return nil
}

// lookPreserved verifies one preserved object of a segment, like look.
func (v *verifier) lookPreserved(ctx context.Context, b *branch, seg wal.Segment, o *object, object string, prev *checkedSegment) (*checkedSegment, error) {
	c := &checkedSegment{seg: seg}
	if v.Level < LevelFull {
		c.unread = errLevel
		return c, nil
	}
	var carry *wal.Carry
	if prev != nil {
		carry = prev.carry
	}
	name := wal.Name{Kind: wal.KindSegment, Segment: seg}
	err := v.prove(ctx, b, name, o, object, c, carry)
	if errors.Is(err, ErrInvalid) && carry != nil {
		// Is it invalid by itself, or is it the segment before that does not fit?
		return v.proveAlone(ctx, b, name, object, prev)
	}
	if err != nil {
		return nil, err
	}
	return c, c.continues(prev, b.Major)
}

// proveAlone proves a segment without the one before it, which it does not
// seem to continue.
func (v *verifier) proveAlone(ctx context.Context, b *branch, name wal.Name, object string, prev *checkedSegment) (*checkedSegment, error) {
	o, err := v.openAtLevel(ctx, b, name, object)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	c := &checkedSegment{seg: name.Segment}
	if err := v.prove(ctx, b, name, o, object, c, nil); err != nil {
		return nil, err
	}
	if err := c.continues(prev, b.Major); err != nil {
		return c, err
	}
	return c, fmt.Errorf("%w: its first record does not continue %v", wal.ErrJoin, prev.seg)
}

// prove decrypts a preserved segment and checks it as push would have. Where
// its principal key is out of reach it checks what can be: that the bytes are
// those that were stored.
func (v *verifier) prove(ctx context.Context, b *branch, name wal.Name, o *object, object string, c *checkedSegment, carry *wal.Carry) error {
	var digest crypt.Digester
	scan := wal.ScanOptions{Identity: b.Identity, History: b.historyOf(name.Segment.Timeline), Prev: carry}
	d, err := v.decryption(ctx, o.Facts, name, v.fetch, scan, io.Discard)
	if outOfReach(err) {
		c.unread = err
	} else if err != nil {
		return err
	}
	var w io.Writer = &digest
	if d != nil {
		defer d.cipher.Wipe()
		w = io.MultiWriter(&digest, d)
	}
	if err := passOn(o, object, name.Segment.Size, w); err != nil {
		return err
	}
	if got := digest.Sum(); got != o.Facts.Digest {
		return fmt.Errorf("%w: its digest is %v, its facts say %v", ErrDamaged, got, o.Facts.Digest)
	}
	c.read = name.Segment.Size
	if d == nil {
		return nil
	}
	facts, err := d.close(name.Kind, 0)
	c.wal, c.carry = &facts, d.scanner.Carry()
	return err
}

// outOfReach reports whether err says that a principal key cannot be had on this
// host, and not that it is lost or wrong.
func outOfReach(err error) bool {
	if errors.Is(err, keys.ErrNoKey) {
		return false
	}
	return errors.Is(err, keys.ErrUnavailable) || errors.Is(err, keys.ErrPermission) || errors.Is(err, tde.ErrProvider)
}

func (v *verifier) lookPreservedPartial(ctx context.Context, b *branch, p stored, o *object) error {
	if v.Level < LevelFull {
		v.unproven(errLevel)
		return nil
	}
	c := &checkedSegment{seg: p.Name.Segment}
	if err := v.prove(ctx, b, p.Name, o, p.Object, c, nil); err != nil {
		return err
	}
	if c.unread != nil {
		v.unproven(c.unread)
	}
	return nil
}

// unproven counts a preserved segment of the present timeline whose content
// this run does not prove.
func (v *verifier) unproven(cause error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Timelines[len(v.report.Timelines)-1].NotProven++
	v.reasons[cause.Error()]++
}

// noteUnproven puts on the report why segments are not proven.
func (v *verifier) noteUnproven() {
	for reason, n := range v.reasons {
		v.notice("%d preserved segments not proven: %s", n, reason)
	}
}
