package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
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
}

// Got says what a get delivered.
type Got struct {
	Object   string   // where it came from
	Plain    int64    // bytes written
	Cut      wal.LSN  // of a segment cut at a fork: from here on zeros; else 0
	Warnings []string // for the log
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
func (a *Archive) Get(ctx context.Context, d *DataDir, name, dest string, o GetOptions) (*Got, error) {
	inc, err := a.incarnation(d.Identity())
	if err != nil {
		return nil, err
	}
	n, err := wal.ParseName(name, inc.SegmentSize)
	if err != nil {
		return nil, advise(err, "restore_command = 'walrestore get %%f \"%%p\"'")
	}
	g := &get{Archive: a, dir: d, inc: inc, name: n, dest: d.Resolve(dest)}
	if n.Kind != wal.KindSegment && n.Kind != wal.KindPartial {
		return g.small(ctx)
	}
	if err := g.findFork(ctx, o.Timeline); err != nil {
		return nil, err
	}
	got, err := g.segment(ctx, n)
	if errors.Is(err, storage.ErrNotExist) && o.Partial && n.Kind == wal.KindSegment {
		n.Kind = wal.KindPartial
		got, err = g.segment(ctx, n)
	}
	if errors.Is(err, storage.ErrNotExist) {
		return nil, g.absent(ctx)
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
	fork wal.LSN // where WAL of the segment's timeline stops to count; 0: nowhere
}

// recovering reports whether PostgreSQL's recovery asks, not pg_rewind or a
// person.
func (g *get) recovering() bool { return filepath.Base(g.dest) == recoveryXLog }

// small delivers a .history or .backup file.
func (g *get) small(ctx context.Context) (*Got, error) {
	object := walObject(g.inc.Number, g.name)
	b, _, err := g.readSealed(ctx, objectKind(g.name), object)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, g.absent(ctx)
	}
	if err != nil {
		return nil, err
	}
	err = g.deliver(func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	return &Got{Object: object, Plain: int64(len(b))}, err
}

// findFork looks where the timeline that the server follows left the
// segment's.
func (g *get) findFork(ctx context.Context, asked wal.Timeline) error {
	if !g.recovering() {
		return nil
	}
	h, err := g.followed(ctx, g.inc, g.dir, asked)
	if err != nil {
		return err
	}
	if at, ok := h.SwitchOf(g.name.Segment.Timeline); ok && at < g.name.Segment.End() {
		g.fork = at
	}
	return nil
}

// segment delivers the segment stored as n, or storage.ErrNotExist.
func (g *get) segment(ctx context.Context, n wal.Name) (*Got, error) {
	if g.fork != 0 && g.fork <= n.Segment.Start() {
		return nil, fmt.Errorf("%w: timeline %v was left at %v", ErrEnd, n.Segment.Timeline, g.fork)
	}
	name := walObject(g.inc.Number, n)
	o, err := g.open(ctx, objectKind(n), name)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.Facts.Size != n.Segment.Size || o.Facts.SystemID != g.inc.SystemID {
		return nil, damaged(name, fmt.Errorf("%w: it holds %d bytes of system %d", ErrForeign, o.Facts.Size, o.Facts.SystemID))
	}
	got := &Got{Object: name, Plain: o.Facts.Size, Cut: g.fork}
	w, err := g.writer(ctx, n, o.Facts, got)
	if err != nil {
		return nil, err
	}
	return got, g.deliver(func(file io.Writer) error {
		w.next = file
		if _, err := o.WriteTo(w); err != nil {
			return damaged(name, err)
		}
		return w.complete()
	})
}

// writer prepares the way of a segment's plaintext to the server.
func (g *get) writer(ctx context.Context, n wal.Name, f *Facts, got *Got) (*segmentWriter, error) {
	cipher, err := g.dir.cipher(ctx, g.TDE, n.Segment)
	if err != nil {
		return nil, keyTrouble(err)
	}
	if f.Source != nil && !cipher.Encrypted() {
		const what = "the source had this segment encrypted, this server's key ranges leave it in plaintext"
		if g.RequireEncryptedRestore {
			return nil, advise(errors.New(what), "seed the server from a newer backup, or set tde.require_encrypted_restore = false")
		}
		got.Warnings = append(got.Warnings, what)
	}
	return &segmentWriter{seg: n.Segment, id: g.inc.Identity, cipher: cipher, cut: g.fork}, nil
}
