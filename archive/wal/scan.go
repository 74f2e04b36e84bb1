package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrAfterSwitch says that a page behind a switch record has a valid header
// for its own address. PostgreSQL writes none there, and bytes that could be
// WAL are not ours to clear.
var ErrAfterSwitch = errors.New("valid page behind a switch record")

// ScanOptions say what a segment is held against.
type ScanOptions struct {
	// Identity is the cluster's. Zero fields accept what the first page says;
	// the segment size is always the segment's own.
	Identity Identity
	// History is that of the segment's timeline: pages must be of it or of an
	// ancestor. Without it any smaller timeline passes for an ancestor.
	History *History
	// Prev is what the scan of the segment before left behind. Without it
	// the rest of a record that opens the segment is taken on trust.
	Prev *Carry
	// KeepTail leaves the bytes behind a switch record as they are.
	KeepTail bool
}

// Scanner checks one segment, page by page and record by record, as
// PostgreSQL's own reader would, and collects its facts. Its memory does not
// depend on the segment's size or its records': some 6 KiB beside the facts.
//
// What it finds wrong is no error but an End: whether that is acceptable is
// for others to say. Bytes behind a switch record are dead: PostgreSQL never
// reads them, and they can differ between honest nodes. The scanner clears
// them in place, which makes equal WAL equal bytes. It changes nothing else.
type Scanner struct {
	seg      Segment
	identity Identity
	magic    uint16
	history  *History
	keepTail bool

	blind bool  // nothing is known of the segment before
	pos   int64 // bytes of the segment seen
	end   End   // Kind zero: not reached
	valid LSN   // behind the last valid record
	tli   Timeline

	prev      LSN // the last complete record
	prevKnown bool

	left    uint32     // bytes that the record left open still wants
	trusted bool       // its beginning is not known to us
	carried bool       // it started in an earlier segment
	open    openRecord // unless trusted
	whole   xactReader // of a record that lies in one page

	opening leading // the continuation with which the segment began
	facts   collector
}

// leading is the rest of an earlier record at the beginning of a segment.
type leading struct {
	left uint32 // all of it, bytes
	n    int    // bytes of head in use
	head [headSize]byte
}

// NewScanner begins the scan of seg. A Carry that is not of the segment
// before gives an invalid end at once.
func NewScanner(seg Segment, o ScanOptions) *Scanner {
	s := &Scanner{
		seg:      seg,
		identity: o.Identity,
		history:  o.History,
		keepTail: o.KeepTail,
		blind:    o.Prev == nil,
		valid:    seg.Start(),
	}
	s.magic, _ = PageMagic(o.Identity.Major)
	s.facts = newCollector(seg, o.Identity.Major)
	if o.Prev != nil {
		s.take(o.Prev)
	}
	return s
}

// Next takes the segment's next bytes, any number of whole pages, and clears
// those behind a switch record. An error means a wrong call, not wrong WAL.
func (s *Scanner) Next(p []byte) error {
	if len(p)%PageSize != 0 || s.pos+int64(len(p)) > s.seg.Size {
		return fmt.Errorf("scan of %v at offset %d: %d bytes are not its next pages", s.seg, s.pos, len(p))
	}
	for ; len(p) > 0; p = p[PageSize:] {
		s.page(p[:PageSize:PageSize])
		s.pos += PageSize
	}
	return nil
}

// Close ends the scan. Fewer bytes than the segment has are an invalid end.
func (s *Scanner) Close() (Facts, End) {
	switch {
	case s.end.Kind != 0:
	case s.pos < s.seg.Size:
		s.stop(fmt.Errorf("segment of %d bytes ends at %d: %w", s.seg.Size, s.pos, io.ErrUnexpectedEOF))
	default:
		s.end = End{LSN: s.seg.End(), Kind: EndFull}
		s.keepOpen()
	}
	if s.opening.left > 0 {
		s.facts.facts.Continuation = &Continuation{s.opening.left, bytes.Clone(s.opening.head[:s.opening.n])}
	}
	return s.facts.close(s.end), s.end
}

// keepOpen notes the record that starts here and runs into the next segment.
func (s *Scanner) keepOpen() {
	if s.left == 0 || s.carried {
		return
	}
	o := &s.open
	s.facts.starts(o.lsn)
	if o.got >= RecordHeaderSize {
		s.facts.count(o.lsn, o.header)
	}
	s.facts.facts.Open = &OpenRecord{o.lsn, o.length, bytes.Clone(o.head[:o.n])}
}
