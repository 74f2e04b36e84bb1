package archive

import (
	"context"
	"errors"
	"fmt"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
)

// Mode says in which form segments that pg_tde encrypts are stored. Other files
// are the same in all of them.
type Mode string

const (
	// Reseal: decrypted, checked, sealed under the archive's own keys.
	Reseal Mode = "reseal"
	// Preserve: sealed as they are, with what it takes to decrypt them later
	// but the principal key. Pushing needs no principal key of pg_tde's, and
	// nobody checks what is stored but for its name, size and key ranges.
	Preserve Mode = "preserve"
)

// errOtherNode: the name is taken by another node's copy.
var errOtherNode = errors.New("preserved from another node")

// preserve archives a segment, complete or partial, as pg_tde encrypted it. x
// is what it takes to decrypt it.
func (p *push) preserve(ctx context.Context, x *tde.Excerpt) (*Pushed, error) {
	to, err := p.sink()
	if err != nil {
		return nil, err
	}
	r, err := p.file.readRaw(ctx, to)
	if err != nil {
		return nil, err
	}
	if err := p.checkCoverage(); err != nil {
		return nil, err
	}
	if err := p.file.unchanged(); err != nil {
		return nil, err
	}
	source, err := p.keys.Source(p.name.Segment)
	if err != nil {
		return nil, keyTrouble(err)
	}
	facts := &Facts{Size: p.file.stat.Size(), Digest: r.Digest, Proof: ProofPreserved, TDE: x}
	facts.limitSource(source)
	if facts.Events, err = p.record(ctx, p.name, nil, nil); err != nil {
		return nil, err
	}
	c := p.file.content(ctx, r, p.file.readRaw)
	done, err := p.store(ctx, objectKind(p.name), walObject(p.inc.Number, p.name), facts, c)
	partial := p.name.Kind == wal.KindPartial
	if errors.Is(err, errOtherNode) || partial && taken(err) {
		return p.beside(ctx, facts, c)
	}
	return done, err
}

// checkCoverage holds the file's bytes against the server's key ranges, as far
// as that goes without keys.
func (p *push) checkCoverage() error {
	err := p.keys.CheckCoverage(p.file.f, p.name.Segment)
	if !errors.Is(err, tde.ErrMismatch) {
		return err
	}
	return advise(unsound(err), "%s; %s", hintOf(err), unsoundHint)
}

// beside stores a node's copy beside that of another node. A .partial finds a
// place in any case: PostgreSQL must not be kept from archiving on.
func (p *push) beside(ctx context.Context, facts *Facts, c content) (*Pushed, error) {
	object, node := walObject(p.inc.Number, p.name), p.keys.Node(p.name.Segment)
	for nth := 1; ; nth++ {
		done, err := p.store(ctx, objectKind(p.name), nodeCopy(object, node, nth), facts, c)
		if p.name.Kind == wal.KindPartial && taken(err) && nth < manyPartials {
			continue
		}
		return done, err
	}
}

// errOtherMode: the name is taken in another form, and nobody can compare.
var errOtherMode = errors.New("the name is taken by a segment stored in the other tde.mode, and whether with the same content cannot be told")

// taken reports whether err says that a name has other content, or may have.
func taken(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, errOtherMode)
}

// sameNode reports whether two preserved segments are encrypted with the same
// keys.
func (p *push) sameNode(a, b *Facts) bool {
	x, err := a.TDE.Open(p.TDE)
	y, err2 := b.TDE.Open(p.TDE)
	return err == nil && err2 == nil && x.Node(p.name.Segment) == y.Node(p.name.Segment)
}

// compareModes compares a stored segment with the file where one of them is
// preserved and the other is not: by decrypting it.
func (p *push) compareModes(ctx context.Context, kind Kind, object string, have, want *Facts) error {
	mine, theirs := want.Digest, have.Digest
	var err error
	if have.TDE != nil {
		theirs, err = p.storedDigest(ctx, kind, object, p.name)
	} else {
		var r *reading
		if r, err = p.examine(ctx); err == nil {
			mine = r.Digest
		}
	}
	if errors.Is(err, ErrTDE) {
		err = fmt.Errorf("%w: %w", errOtherMode, err)
		return advise(err, "make that principal key available here, for this push; or push from the host that archived it first; "+
			"to keep these bytes and go on: walarchive quarantine SEGMENT --reason TEXT")
	}
	if err != nil || mine == theirs {
		return err
	}
	return conflict(have, theirs, want, mine)
}
