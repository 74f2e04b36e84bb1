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
	"walarchive/crypt/tde"
)

const (
	// wholeLimit is up to which size a segment is read once, into memory.
	// Larger ones are read twice, in chunks, and both readings must agree.
	wholeLimit = 64 << 20
	chunkSize  = 4 << 20
)

// segmentFile is a WAL segment on the host, plain or encrypted by pg_tde,
// about to be archived.
type segmentFile struct {
	f      *os.File
	path   string
	stat   os.FileInfo
	name   wal.Name
	scan   wal.ScanOptions
	cipher *tde.Cipher
}

// openSegment opens the file at path as the WAL file name of the cluster.
func openSegment(path string, name wal.Name, scan wal.ScanOptions, cipher *tde.Cipher) (*segmentFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &segmentFile{f: f, path: path, name: name, scan: scan, cipher: cipher}
	if s.stat, err = f.Stat(); err == nil {
		err = s.checkSize()
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return s, nil
}

func (s *segmentFile) Close() error { return s.f.Close() }

func (s *segmentFile) checkSize() error {
	want := s.name.Segment.Size
	switch got := s.stat.Size(); {
	case !s.stat.Mode().IsRegular():
		return fmt.Errorf("%w: not a regular file", ErrInvalid)
	case got == 0:
		return advise(fmt.Errorf("%w: the file is empty", ErrInvalid), "%s", badFileHint)
	case got != want:
		return advise(fmt.Errorf("%w: it has %d bytes, this cluster's segments have %d", ErrInvalid, got, want), "%s", badFileHint)
	}
	return nil
}

const badFileHint = "if PostgreSQL has no better copy (a standby, a backup), keep these bytes and go on with: walarchive quarantine SEGMENT --reason TEXT"

// whole reports whether the segment is handled in memory.
func (s *segmentFile) whole() bool { return s.stat.Size() <= wholeLimit }

// reading is what one pass over a segment found.
type reading struct {
	End    wal.End
	Facts  wal.Facts
	Digest crypt.Digest
	plain  []byte // the canonical content, of whole segments
}

// read makes one pass: decrypts, scans (which clears dead bytes behind a segment
// switch) and, unless the segment is read whole, gives each piece to sink.
func (s *segmentFile) read(ctx context.Context, sink io.Writer) (*reading, error) {
	buf := make([]byte, min(s.stat.Size(), chunkSize))
	if s.whole() {
		buf = make([]byte, s.stat.Size())
	}
	scan := s.scan
	scan.KeepTail = s.name.Kind == wal.KindPartial // a .partial is stored unaltered
	scanner := wal.NewScanner(s.name.Segment, scan)
	var digest crypt.Digester
	for off := int64(0); off < s.stat.Size(); off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(io.NewSectionReader(s.f, off, int64(len(buf))), buf); err != nil {
			return nil, s.readError(err)
		}
		s.cipher.XOR(buf, off)
		if err := scanner.Next(buf); err != nil {
			return nil, err
		}
		if s.whole() {
			break
		}
		if _, err := digest.Write(buf); err != nil {
			return nil, err
		}
		if _, err := sink.Write(buf); err != nil {
			return nil, err
		}
	}
	r := &reading{}
	r.Facts, r.End = scanner.Close()
	if r.Digest = digest.Sum(); s.whole() {
		r.plain, r.Digest = buf, crypt.DigestBytes(buf)
	}
	return r, nil
}

func (s *segmentFile) readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it became shorter", ErrChanged)
	}
	return err
}

// content is the segment as it is stored.
func (s *segmentFile) content(ctx context.Context, r *reading) content {
	if r.plain != nil {
		return content{plain: r.plain}
	}
	return content{stream: func(w io.Writer) error {
		again, err := s.read(ctx, w)
		if err == nil && again.Digest != r.Digest {
			err = fmt.Errorf("%w: two readings differ", ErrChanged)
		}
		if err == nil {
			err = s.unchanged()
		}
		return err
	}}
}

// source says how the segment is encrypted on this host, nil if it is not.
func (s *segmentFile) source() *tde.Source {
	if !s.cipher.Encrypted() {
		return nil
	}
	source := s.cipher.Source()
	return &source
}

// diagnose looks for the cause of an invalid end in the keys of pg_tde.
func (s *segmentFile) diagnose(end wal.End) error {
	return s.cipher.Diagnose(s.f, int64(end.LSN-s.name.Segment.Start()))
}

// unchanged reports, as an error, that the file under the path is no longer
// the one that was read: PostgreSQL recycles segments by renaming them.
func (s *segmentFile) unchanged() error {
	now, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if !os.SameFile(now, s.stat) || now.Size() != s.stat.Size() || !now.ModTime().Equal(s.stat.ModTime()) {
		return fmt.Errorf("%w: %s is another file now", ErrChanged, filepath.Base(s.path))
	}
	return nil
}
