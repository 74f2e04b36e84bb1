package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
)

// segmentWriter takes a segment's verified plaintext in order and passes it on
// as the server wants it: checked, cut at a fork, encrypted.
type segmentWriter struct {
	seg    wal.Segment
	id     wal.Identity
	cipher *tde.Cipher
	cut    wal.LSN // zeros from here on; 0: nowhere
	next   io.Writer
	off    int64
	buf    []byte

	progress func()
}

func (w *segmentWriter) arrived() {
	if w.progress != nil {
		w.progress()
	}
}

// Write does not keep or change p.
func (w *segmentWriter) Write(p []byte) (int, error) {
	w.arrived()
	if w.off == 0 {
		if err := w.checkHeader(p); err != nil {
			return 0, err
		}
	}
	if cut := w.cutIn(p); cut < len(p) || w.cipher.Encrypted() {
		w.buf = append(w.buf[:0], p...)
		clear(w.buf[cut:])
		w.cipher.XOR(w.buf, w.off)
		p = w.buf
	}
	n, err := w.next.Write(p)
	w.off += int64(n)
	return n, err
}

// cutIn is the offset in p from which on the fork makes it zeros.
func (w *segmentWriter) cutIn(p []byte) int {
	if w.cut == 0 {
		return len(p)
	}
	off := int64(w.cut-w.seg.Start()) - w.off
	return int(min(max(off, 0), int64(len(p))))
}

// checkHeader holds the first page against name and cluster.
func (w *segmentWriter) checkHeader(p []byte) error {
	id, err := wal.Identify(p)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	h, err := wal.ParsePageHeader(p)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case id != w.id:
		return fmt.Errorf("%w: the segment is of %s", ErrForeign, describe(id))
	case h.Address != w.seg.Start() || h.Timeline > w.seg.Timeline:
		return fmt.Errorf("%w: it begins at %v of timeline %v", ErrDamaged, h.Address, h.Timeline)
	}
	return nil
}

func (w *segmentWriter) complete() error {
	if w.off != w.seg.Size {
		return fmt.Errorf("%w: %d bytes of %d", ErrDamaged, w.off, w.seg.Size)
	}
	return nil
}

// deliver lets write fill the file that was asked for. What killed calls left
// behind is removed first; where that fails, it does not keep the server from
// its file.
func (g *get) deliver(got *Got, write func(w io.Writer) error) (*Got, error) {
	if err := removeLeftovers(filepath.Dir(g.dest)); err != nil {
		got.Warnings = append(got.Warnings, fmt.Sprintf("the temporary file of a killed call stays: %v", err))
	}
	fill := func(f *os.File) error { return write(f) }
	var err error
	if g.Into != nil {
		err = fill(g.Into)
	} else {
		err = writeFile(g.dest, fill)
	}
	if err != nil {
		return nil, err
	}
	return got, nil
}

// Deliver gives dest, a path of a restore_command, the content: whole, or not
// at all.
func (d *DataDir) Deliver(dest string, content []byte) error {
	return writeFile(d.Resolve(dest), func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}

// Receive has fill write the file that was asked for as dest: whole, or not at
// all. What fill writes to is given that name only when it has succeeded, so a
// fill that somebody else does and that was given up may go on: nobody sees it.
func (d *DataDir) Receive(dest string, fill func(f *os.File) error) error {
	return writeFile(d.Resolve(dest), fill)
}

const tempPrefix = ".walrestore-"

// writeFile lets write fill a new file and gives it the name dest. Until then
// there is nothing under that name, or what was there before. PostgreSQL itself
// syncs what it restores as RECOVERYXLOG or RECOVERYHISTORY; other files are
// synced here.
func writeFile(dest string, write func(f *os.File) error) error {
	dir := filepath.Dir(dest)
	f, err := lockedTemp(dir)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it has no such name
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	base := filepath.Base(dest)
	transient := base == recoveryXLog || base == recoveryHistory
	if !transient {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := os.Rename(f.Name(), dest); err != nil || transient {
		return err
	}
	return syncDir(dir)
}

// lockedTemp makes a temporary file that no other call takes for a leftover.
func lockedTemp(dir string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(dir, tempPrefix)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if _, err := os.Lstat(f.Name()); err == nil {
			return f, nil
		}
		_ = f.Close() // another call removed it before it was locked
	}
}

// removeLeftovers removes the temporary files of calls that were killed: those
// that nobody holds a lock on.
func removeLeftovers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := removeUnlocked(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeUnlocked(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil // somebody is writing it
	}
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
