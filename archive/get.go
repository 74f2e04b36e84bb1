package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"walarchive/archive/wal"
	"walarchive/storage"
)

// GetOptions say how a file is wanted.
type GetOptions struct {
	// Timeline is the timeline that the server follows; zero is the latest.
	Timeline wal.Timeline
	// Partial serves the .partial when the complete segment is not there.
	Partial bool
	// Progress is called whenever something of the file has arrived.
	Progress func()
	// Into takes the content instead of a new file under the name asked for,
	// which the caller then gives it: see DataDir.Receive.
	Into *os.File
	// Ahead is for how many segments to say where a recovery will ask next.
	Ahead int
}

// Got says what a get delivered.
type Got struct {
	Object   string   // where it came from
	Store    string   // which of several stores it came from; "" if there is but one
	Plain    int64    // bytes written
	Sealed   int64    // bytes read from the store
	Retries  int      // of calls that failed before
	Cut      wal.LSN  // of a segment cut at a fork: from here on zeros; else 0
	Warnings []string // for the log
	Ahead    []string // objects, in the order in which a recovery asks for them
}

// from notes where the file came from.
func (g *Got) from(o origin) {
	g.Store = o.store
	if w := o.warning(); w != "" {
		g.Warnings = append(g.Warnings, w)
	}
}

// The names that PostgreSQL restores WAL under before it looks at it.
const (
	recoveryXLog    = "RECOVERYXLOG"
	recoveryHistory = "RECOVERYHISTORY"
)

// Get delivers the WAL file called name to dest, for the server whose data
// directory is d: whole and verified, or not at all. Segments are encrypted as
// that server's pg_tde expects them. Absence gives ErrEnd or ErrHole.
//
// A segment asked for by a recovery (as RECOVERYXLOG) is never served beyond
// the point where the timeline that the server follows left the segment's: from
// there on it is zeros, and later segments count as absent. Otherwise
// PostgreSQL, which falls back to the parent's segment while the child's is not
// archived yet, would replay what never became part of the child.
func (a *Archive) Get(ctx context.Context, d *DataDir, name, dest string, o GetOptions) (got *Got, err error) {
	ctx, tally := storage.WithTally(ctx)
	defer func() {
		if got != nil {
			got.Retries = tally.Retries()
		}
	}()
	inc, err := a.incarnation(d.Identity())
	if err != nil {
		return nil, err
	}
	n, err := wal.ParseName(name, inc.SegmentSize)
	if err != nil {
		return nil, advise(err, "restore_command = 'walrestore get %%f \"%%p\"'")
	}
	g := &get{Archive: a, dir: d, inc: inc, name: n, dest: d.Resolve(dest), GetOptions: o}
	if n.Kind != wal.KindSegment && n.Kind != wal.KindPartial {
		a.histories.forgetMissing() // whoever looks at timelines may go over to another
		return g.small(ctx)
	}
	got, err = g.stored(ctx)
	if errors.Is(err, errNotStored) && a.histories.forgetMissing() {
		got, err = g.stored(ctx) // by what is there now
	}
	if errors.Is(err, errNotStored) {
		if err = g.absent(ctx); errors.Is(err, errOnlyCopies) {
			return g.fromCopies(ctx, g.name, err)
		}
		return nil, err
	}
	return got, err
}

// get is one file on its way to a server.
type get struct {
	*Archive
	dir  *DataDir
	inc  Incarnation
	name wal.Name
	dest string

	GetOptions

	followed wal.History // of the timeline that a recovery follows
	fork     wal.LSN     // where WAL of the segment's timeline stops to count; 0: nowhere
}

// recovering reports whether PostgreSQL's recovery asks, not pg_rewind or a
// person.
func (g *get) recovering() bool { return filepath.Base(g.dest) == recoveryXLog }

// small delivers a .history or .backup file.
func (g *get) small(ctx context.Context) (*Got, error) {
	object := walObject(g.inc.Number, g.name)
	f, err := g.readSealed(ctx, objectKind(g.name), object)
	if notStored(err, object) {
		return nil, g.absent(ctx)
	}
	if err != nil {
		return nil, err
	}
	got := &Got{Object: object, Plain: f.facts.Size, Sealed: f.sealed}
	got.from(f.origin)
	return g.deliver(got, func(w io.Writer) error {
		_, err := w.Write(f.content)
		return err
	})
}

// stored delivers what is there of a segment or a .partial, or gives
// errNotStored.
func (g *get) stored(ctx context.Context) (*Got, error) {
	if err := g.findFork(ctx); err != nil {
		return nil, err
	}
	n := g.name
	got, err := g.segment(ctx, n)
	if errors.Is(err, errNotStored) && g.Partial && n.Kind == wal.KindSegment {
		n.Kind = wal.KindPartial
		got, err = g.segment(ctx, n)
	}
	return got, err
}

// findFork looks where the timeline that the server follows left the
// segment's.
func (g *get) findFork(ctx context.Context) error {
	if !g.recovering() {
		return nil
	}
	var err error
	if g.followed, err = g.follows(ctx, g.inc, g.dir, g.Timeline); err != nil {
		return err
	}
	if at, ok := g.followed.SwitchOf(g.name.Segment.Timeline); ok && at < g.name.Segment.End() {
		g.fork = at
	}
	return nil
}

// segment delivers the segment stored as n, or errNotStored.
func (g *get) segment(ctx context.Context, n wal.Name) (*Got, error) {
	if g.fork != 0 && g.fork <= n.Segment.Start() {
		return nil, fmt.Errorf("%w: timeline %v was left at %v", ErrEnd, n.Segment.Timeline, g.fork)
	}
	object := walObject(g.inc.Number, n)
	got, err := g.from(ctx, g.Archive, n, object)
	if errors.Is(err, ErrDamaged) {
		if got, from, e := elsewhere(g.Archive, err, func(alone *Archive) (*Got, error) { return g.from(ctx, alone, n, object) }); e == nil {
			got.from(from)
			return got, nil
		}
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrTDE) || errors.Is(err, ErrInvalid) {
		return g.fromCopies(ctx, n, err)
	}
	return got, err
}

// fromCopies delivers the segment from the first node's copy that can be used.
// cause is why its own object could not.
func (g *get) fromCopies(ctx context.Context, n wal.Name, cause error) (*Got, error) {
	for info, err := range g.bucket.List(ctx, walObject(g.inc.Number, n)+nodeInfix, "") {
		if err != nil {
			return nil, fmt.Errorf("%w; whether another node's copy is there cannot be told: %w", cause, err)
		}
		if s, ok := parseWALObject(info.Name, g.inc.SegmentSize); !ok || s.Name != n {
			continue
		}
		got, err := g.from(ctx, g.Archive, n, info.Name)
		if err == nil {
			got.Warnings = append(got.Warnings, fmt.Sprintf("served from another node's copy: %v", cause))
			return got, nil
		}
		if errors.Is(cause, errOnlyCopies) {
			cause = err
		}
	}
	return nil, cause
}

// from delivers the segment that a has stored as object, or errNotStored.
func (g *get) from(ctx context.Context, a *Archive, n wal.Name, object string) (*Got, error) {
	o, err := a.open(ctx, objectKind(n), object)
	if notStored(err, object) {
		return nil, errNotStored
	}
	if err != nil {
		return nil, err
	}
	defer o.Close()
	got := &Got{Object: object, Plain: n.Segment.Size, Cut: g.fork, Ahead: g.next(g.Ahead)}
	got.from(o.origin)
	defer func() { got.Sealed = o.body.n }()
	if o.Tip != nil { // no reason to withhold what is authentic
		got.Warnings = append(got.Warnings, o.Tip.Error())
	}
	w, err := g.writer(ctx, n, o.Facts, got)
	if err != nil {
		return nil, err
	}
	defer w.cipher.Wipe()
	if o.Facts.TDE != nil {
		return g.decrypted(ctx, n, o, w, got)
	}
	return g.deliver(got, func(file io.Writer) error {
		w.next = file
		if _, err := o.WriteTo(w); err != nil {
			return damaged(object, err)
		}
		return w.complete()
	})
}

// decrypted delivers a preserved segment through w.
func (g *get) decrypted(ctx context.Context, n wal.Name, o *object, w *segmentWriter, got *Got) (*Got, error) {
	scan, err := g.scanOptions(ctx, n.Segment.Timeline)
	if err != nil {
		return nil, err
	}
	d, err := g.decryption(ctx, o.Facts, n, g.TDE, scan, w)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", got.Object, err)
	}
	defer d.cipher.Wipe()
	return g.deliver(got, func(file io.Writer) error {
		w.next = file
		if err := passOn(o, got.Object, n.Segment.Size, d); err != nil {
			return err
		}
		if _, err := d.close(n.Kind, g.fork); err != nil {
			return fmt.Errorf("%s: %w", got.Object, err)
		}
		return w.complete()
	})
}

// scanOptions say what WAL of timeline t is held against. A history that cannot
// be read is done without.
func (g *get) scanOptions(ctx context.Context, t wal.Timeline) (wal.ScanOptions, error) {
	o := wal.ScanOptions{Identity: g.inc.Identity}
	if t == 1 {
		o.History = &wal.History{Timeline: 1}
		return o, nil
	}
	h, err := g.rememberedHistory(ctx, g.inc, t)
	if errors.Is(err, ErrDamaged) || errors.Is(err, wal.ErrHistory) {
		return o, nil
	}
	o.History = h
	return o, err
}

// writer prepares the way of a segment's plaintext to the server.
func (g *get) writer(ctx context.Context, n wal.Name, f *Facts, got *Got) (*segmentWriter, error) {
	cipher, err := g.dir.cipher(ctx, g.TDE, n.Segment)
	if err != nil {
		return nil, keyTrouble(err)
	}
	if f.Source != nil && !cipher.Encrypted() {
		if g.RequireEncryptedRestore {
			return nil, advise(ErrPlaintext, "seed the server from a newer backup, or set tde.require_encrypted_restore = false")
		}
		got.Warnings = append(got.Warnings, ErrPlaintext.Error())
	}
	w := &segmentWriter{seg: n.Segment, id: g.inc.Identity, cipher: cipher, cut: g.fork, progress: g.Progress}
	w.arrived()
	return w, nil
}
