package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
	"walarchive/storage"
)

// Pushed says what a push did.
type Pushed struct {
	Object      string   // where the file lies in the archive
	Plain       int64    // bytes of the file
	Sealed      int64    // bytes stored; 0 if nothing was
	Proof       Proof    // of segments
	Already     bool     // the same content was there before
	Quarantined bool     // these bytes are not in the archive but under quarantine
	Retries     int      // of calls of the store that failed before
	Warnings    []string // for the log
}

// Push archives the WAL file at path, of the server whose data directory is d.
// When it returns without error, the file is durable in the bucket, or was
// there before with the same content, or lies under quarantine. The same name
// with other content gives ErrConflict; a file that is not sound WAL of its
// name and cluster ErrInvalid or ErrForeign; trouble with the server's WAL keys
// ErrTDE; a key of the archive's that cannot be had the provider's error.
func (a *Archive) Push(ctx context.Context, d *DataDir, path string) (*Pushed, error) {
	return a.PushIf(ctx, d, path, func(os.FileInfo) error { return nil })
}

// PushIf is Push of a file that must still be wanted once it has been read:
// wanted gets what the file that was read is, behind its last byte and before
// the object can be seen. Its error, as an ErrChanged, ends the push.
func (a *Archive) PushIf(ctx context.Context, d *DataDir, path string, wanted func(os.FileInfo) error) (done *Pushed, err error) {
	ctx, tally := storage.WithTally(ctx)
	defer func() {
		if done != nil {
			done.Retries = tally.Retries()
		}
	}()
	path = d.Resolve(path)
	inc, err := a.pushInto(d.Identity())
	if err != nil {
		return nil, err
	}
	name, err := wal.ParseName(filepath.Base(path), inc.SegmentSize)
	if err != nil {
		return nil, advise(err, "archive_command = 'walarchive push %%p'")
	}
	if err := a.keepCondition(ctx); err != nil {
		return nil, err
	}
	p := &push{Archive: a, dir: d, inc: inc, path: path, name: name, wanted: wanted}
	done, err = p.run(ctx)
	if refused(err) {
		if object, ok, e := a.underQuarantine(ctx, inc, name, path); e != nil {
			return nil, fmt.Errorf("%w; whether it is under quarantine cannot be told: %w", err, e)
		} else if ok {
			return &Pushed{Object: object, Quarantined: true}, nil
		}
	}
	return done, err
}

// refused reports whether err is about the file, the keys of its server or what
// its name is taken by. Trying again may not help then, and quarantine is a way
// out.
func refused(err error) bool {
	for _, kind := range []error{ErrInvalid, ErrForeign, ErrConflict, ErrTDE, ErrNewer, seal.ErrVersion, errBuried} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// push is one file on its way into the archive.
type push struct {
	*Archive
	dir  *DataDir
	inc  Incarnation
	path string
	name wal.Name

	wanted func(os.FileInfo) error

	file *segmentFile // of segments
	keys *tde.Keys    // the server's, for them
}

func (p *push) run(ctx context.Context) (*Pushed, error) {
	if p.name.Kind == wal.KindSegment || p.name.Kind == wal.KindPartial {
		return p.segment(ctx)
	}
	return p.small(ctx)
}

// small archives a .history or .backup file.
func (p *push) small(ctx context.Context) (*Pushed, error) {
	b, stat, err := readSmallFile(p.path)
	if err != nil {
		return nil, err
	}
	if err := p.wanted(stat); err != nil {
		return nil, changed(err)
	}
	if p.name.Kind == wal.KindHistory {
		if _, err := wal.ParseHistory(p.name.Segment.Timeline, b); err != nil {
			return nil, unsound(err)
		}
	}
	facts := &Facts{Size: int64(len(b)), Digest: crypt.DigestBytes(b)}
	return p.store(ctx, objectKind(p.name), walObject(p.inc.Number, p.name), facts, content{plain: b})
}

// segment archives a segment, complete or partial.
func (p *push) segment(ctx context.Context) (*Pushed, error) {
	s, err := openSegment(p.path, p.name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.wanted = p.wanted
	p.file = s
	if p.keys, err = p.dir.walKeys(p.TDE); err != nil {
		return nil, keyTrouble(err)
	}
	if p.Mode == Preserve {
		x, err := p.keys.Excerpt(p.name.Segment)
		if err != nil {
			return nil, keyTrouble(err)
		}
		if x != nil {
			return p.preserve(ctx, x)
		}
	}
	return p.reseal(ctx)
}

// reseal archives a segment, complete or partial, in plaintext: checked, in its
// canonical form.
func (p *push) reseal(ctx context.Context) (*Pushed, error) {
	s := p.file
	r, err := p.examine(ctx)
	if err != nil {
		return nil, err
	}
	name, proof, err := p.judge(ctx, s, r)
	if err != nil {
		return nil, err
	}
	if err := s.unchanged(); err != nil {
		return nil, err
	}
	facts := &Facts{Size: s.stat.Size(), Digest: r.Digest, Proof: proof, WAL: &r.Facts}
	facts.setSource(s.cipher)
	if facts.Events, err = p.record(ctx, name, s.scan.History, &r.Facts); err != nil {
		return nil, err
	}
	done, err := p.store(ctx, objectKind(name), walObject(p.inc.Number, name), facts, s.content(ctx, r, s.read))
	if taken(err) && name.Kind == wal.KindPartial {
		done, err = p.anotherPartial(ctx, name, facts, s.content(ctx, r, s.read))
	}
	if err == nil {
		err = p.recordCrossing(ctx, name, s.scan.History, &r.Facts)
	}
	if err == nil && name != p.name {
		done.Warnings = append(done.Warnings, fmt.Sprintf("%v ends where a known history ends timeline %v: stored as %v", p.name, name.Segment.Timeline, name))
	}
	if err == nil && proof == ProofNone {
		done.Warnings = append(done.Warnings, "no history file proves where the WAL of this partial segment ends")
	}
	return done, err
}

// examine decrypts and reads the segment once, with what the cluster says of it.
func (p *push) examine(ctx context.Context) (*reading, error) {
	s := p.file
	history, err := p.history(ctx, p.name.Segment.Timeline)
	if err != nil {
		return nil, err
	}
	s.scan = wal.ScanOptions{Identity: p.inc.Identity, History: history}
	if s.cipher, err = p.keys.Cipher(ctx, p.name.Segment); err != nil {
		return nil, keyTrouble(err)
	}
	to, err := p.sink()
	if err != nil {
		return nil, err
	}
	return s.read(ctx, to)
}

// sink is where the content goes while the file is looked at: if it fits in
// memory, into the draft of the object that the name stands for. Of a second
// look only the result is wanted.
func (p *push) sink() (sink, error) {
	s := p.file
	if s.draft != nil || s.stat.Size() > p.Whole {
		return passTo(io.Discard), nil
	}
	var err error
	s.draft, err = p.draft(objectKind(p.name), walObject(p.inc.Number, p.name), s.stat.Size())
	return s.draft, err
}

// manyPartials is up to how many different .partial files of one segment and
// end, or node, a place is looked for.
const manyPartials = 100

// anotherPartial stores a .partial whose name is taken by a different one: two
// standbys were promoted from one timeline, and PostgreSQL must not be kept
// from archiving on.
func (p *push) anotherPartial(ctx context.Context, name wal.Name, facts *Facts, c content) (*Pushed, error) {
	first := walObject(p.inc.Number, name)
	for nth := 1; ; nth++ {
		object := anotherPartial(first, facts.WAL.End.LSN, nth)
		done, err := p.store(ctx, KindPartial, object, facts, c)
		if taken(err) && nth < manyPartials {
			continue
		}
		if err == nil {
			done.Warnings = append(done.Warnings, fmt.Sprintf("another %v is archived already: stored as %s", name, filepath.Base(object)))
		}
		return done, err
	}
}

// store seals c and puts it under object. If the name is taken, by the same
// content, that is success.
func (p *push) store(ctx context.Context, kind Kind, object string, facts *Facts, c content) (*Pushed, error) {
	facts.SystemID = p.inc.SystemID
	b, err := p.seal(kind, object, facts, c)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	done := &Pushed{Object: object, Plain: facts.Size, Proof: facts.Proof}
	err = p.bucket.Put(ctx, object, b)
	if errors.Is(err, storage.ErrExist) {
		done.Already = true
		return done, p.settle(ctx, kind, object, facts)
	}
	done.Sealed = b.sealed()
	return done, err
}

// errBuried: a name is taken and nothing is there. Buckets with versions are
// like that on stores that take a deletion's marker for an object (versitygw).
var errBuried = errors.New("the store says that the name is taken, and that nothing is there: it holds a deleted version")

// settle decides about a name that is taken: nil if by the same content.
func (p *push) settle(ctx context.Context, kind Kind, object string, want *Facts) error {
	have, err := p.completeFacts(ctx, kind, object)
	if errors.Is(err, ErrDamaged) {
		return advise(err, "nothing is lost: run walarchive repair %s with a credential that may delete; the next push stores it", object)
	}
	if errors.Is(err, storage.ErrNotExist) {
		return advise(errBuried, "delete all versions of %s, its marker too; to go on meanwhile, or where they are locked: "+
			"walarchive quarantine SEGMENT --reason TEXT", object)
	}
	if err != nil {
		err = fmt.Errorf("the name is taken, and whether by the same content cannot be told: %w", err)
		if errors.Is(err, seal.ErrVersion) {
			return advise(err, "update walarchive on this host; to go on meanwhile: walarchive quarantine SEGMENT --reason TEXT")
		}
		return err
	}
	switch {
	case have.SystemID != want.SystemID:
	case (have.TDE == nil) != (want.TDE == nil):
		return p.compareModes(ctx, kind, object, have, want)
	case have.Digest == want.Digest:
		return nil
	case have.TDE != nil && !p.sameNode(have, want):
		return errOtherNode
	}
	return conflict(have, have.Digest, want, want.Digest)
}

// conflict says who took the name, with what. The digests are of both contents
// in the same form.
func conflict(have *Facts, theirs crypt.Digest, want *Facts, mine crypt.Digest) error {
	err := fmt.Errorf("%w: stored is %v of system %d, written by %q at %s; this is %v of system %d", ErrConflict,
		theirs, have.SystemID, have.Host, have.Time.Format("2006-01-02 15:04:05Z"), mine, want.SystemID)
	return advise(err, "do two primaries archive to one place, or was a clone or an old backup started with archiving on? "+
		"Give it an archive of its own (cluster.name); to keep these bytes and go on: walarchive quarantine SEGMENT --reason TEXT")
}
