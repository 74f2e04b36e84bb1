package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
)

const (
	// wholeLimit is up to which size a segment is read once, and sealed in
	// memory on the way, if Options.Whole says nothing else. Larger ones are read
	// twice, in chunks, and both readings must agree.
	wholeLimit = 64 << 20
	chunkSize  = 1 << 20
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
	wanted func(os.FileInfo) error // nil: in any case
	draft  *draft                  // of the object it becomes, if that fits in memory
}

// openSegment opens the file at path as the WAL file name of the cluster. How
// it is to be read, the caller adds.
func openSegment(path string, name wal.Name) (*segmentFile, error) {
	f, stat, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &segmentFile{f: f, path: path, name: name, stat: stat}
	if err := s.checkSize(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the file and its draft, and forgets the keys it was read with.
func (s *segmentFile) Close() error {
	if s.cipher != nil {
		s.cipher.Wipe()
	}
	if s.draft != nil {
		s.draft.Close()
	}
	return s.f.Close()
}

func (s *segmentFile) checkSize() error {
	want := s.name.Segment.Size
	switch got := s.stat.Size(); got {
	case want:
		return nil
	case 0:
		return unsound(errors.New("the file is empty"))
	default:
		return unsound(fmt.Errorf("it has %d bytes, this cluster's segments have %d", got, want))
	}
}

// reading is what one pass over a segment found.
type reading struct {
	Identity wal.Identity // what the first page says, zero if it is none
	End      wal.End
	Facts    wal.Facts
	Digest   crypt.Digest
}

// sink takes the content of a segment in pieces. It lends the memory for each.
type sink interface {
	Room() []byte         // for the next piece, whole pages
	Commit(n int) error   // its first n bytes are filled
	Digest() crypt.Digest // of all pieces, of which there are no more
}

var _ sink = (*seal.Draft)(nil)

// passing is a sink that gives each piece to w.
type passing struct {
	w      io.Writer
	piece  []byte
	digest crypt.Digester
}

func passTo(w io.Writer) *passing { return &passing{w: w, piece: make([]byte, chunkSize)} }

func (p *passing) Room() []byte { return p.piece }

func (p *passing) Commit(n int) error {
	_, _ = p.digest.Write(p.piece[:n]) // never fails
	_, err := p.w.Write(p.piece[:n])
	return err
}

func (p *passing) Digest() crypt.Digest { return p.digest.Sum() }

// read makes one pass: decrypts, scans (which clears dead bytes behind a segment
// switch) and gives each piece to a sink.
func (s *segmentFile) read(ctx context.Context, to sink) (*reading, error) {
	scan := s.scan
	scan.KeepTail = s.name.Kind == wal.KindPartial // a .partial is stored unaltered
	scanner := wal.NewScanner(s.name.Segment, scan)
	var id wal.Identity
	r, err := s.pass(ctx, to, func(p []byte, off int64) error {
		s.cipher.XOR(p, off)
		if off == 0 {
			id, _ = wal.Identify(p)
		}
		return scanner.Next(p)
	})
	if err != nil {
		return nil, err
	}
	r.Identity = id
	r.Facts, r.End = scanner.Close()
	return r, nil
}

// readRaw makes one pass over the bytes as they are, and finds their digest.
func (s *segmentFile) readRaw(ctx context.Context, to sink) (*reading, error) {
	return s.pass(ctx, to, func([]byte, int64) error { return nil })
}

// pass reads the file in pieces and gives each with its offset to work, which
// may change it, and then to a sink.
func (s *segmentFile) pass(ctx context.Context, to sink, work func(p []byte, off int64) error) (*reading, error) {
	for off := int64(0); off < s.stat.Size(); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		buf := to.Room()
		buf = buf[:min(int64(len(buf)), s.stat.Size()-off)]
		if _, err := io.ReadFull(io.NewSectionReader(s.f, off, int64(len(buf))), buf); err != nil {
			return nil, s.readError(err)
		}
		if err := work(buf, off); err != nil {
			return nil, err
		}
		if err := to.Commit(len(buf)); err != nil {
			return nil, err
		}
		off += int64(len(buf))
	}
	return &reading{Digest: to.Digest()}, nil
}

func (s *segmentFile) readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return changed(errors.New("it became shorter"))
	}
	return err
}

// content is the segment as it is stored: what r found, and, where the draft
// does not serve, what read finds again.
func (s *segmentFile) content(ctx context.Context, r *reading, read func(context.Context, sink) (*reading, error)) content {
	return content{draft: s.draft, stream: func(w io.Writer) error {
		again, err := read(ctx, passTo(w))
		if err == nil && again.Digest != r.Digest {
			err = changed(errTwoReadings)
		}
		if err == nil {
			err = s.unchanged()
		}
		return err
	}}
}

// diagnose looks for the cause of an invalid end in the keys of pg_tde.
func (s *segmentFile) diagnose(end wal.End) error {
	return s.cipher.Diagnose(s.f, int64(end.LSN-s.name.Segment.Start()))
}

// unchanged reports, as an error, that the file under the path is no longer
// the one that was read, as PostgreSQL recycles segments by renaming them, or
// that it is not wanted any more.
func (s *segmentFile) unchanged() error {
	now, err := os.Stat(s.path)
	if err != nil {
		return changed(err)
	}
	if !os.SameFile(now, s.stat) || now.Size() != s.stat.Size() || !now.ModTime().Equal(s.stat.ModTime()) {
		return changed(errors.New("another file has its name now"))
	}
	if s.wanted == nil {
		return nil
	}
	if err := s.wanted(s.stat); err != nil {
		return changed(err)
	}
	return nil
}

var errTwoReadings = errors.New("two readings differ")

// changed makes an ErrChanged of how it was noticed. What kind of error that was
// is hidden: out of a Put, a missing file would pass for a missing object.
func changed(cause error) error {
	return advise(fmt.Errorf("%w: %v", ErrChanged, cause),
		"nothing was stored; PostgreSQL hands the segment over again if it is still to be archived")
}
