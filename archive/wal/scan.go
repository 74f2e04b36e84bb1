package wal

import (
	"bytes"
	"encoding/binary"
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
// depend on the segment's size or its records': some 10 KiB beside the facts.
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

// page takes the page at s.pos.
func (s *Scanner) page(p []byte) {
	if s.end.Kind != 0 {
		s.behind(p)
		return
	}
	h, err := s.header(p)
	if err != nil {
		s.stop(err)
		return
	}
	s.tli = h.Timeline
	s.facts.timeline(h.Timeline)
	i := h.Size()
	i += s.resume(h, p[i:])
	for i < PageSize && s.end.Kind == 0 {
		i += s.record(h.Address+LSN(i), p[i:])
	}
	if s.end.Kind == EndSwitch && !s.keepTail {
		clear(p[i:])
	}
}

// behind takes a page behind the end of WAL.
func (s *Scanner) behind(p []byte) {
	at := s.seg.Start() + LSN(s.pos)
	h, err := ParsePageHeader(p)
	valid := err == nil && h.Magic == s.magic && h.Address == at && h.Flags&^pageFlags == 0
	if valid && s.end.Behind == 0 {
		s.end.Behind = at
		if s.end.Kind == EndSwitch {
			s.end.Kind = EndInvalid
			s.end.Cause = fmt.Errorf("page at offset %d, switch record ends at %v: %w", s.pos, s.end.LSN, ErrAfterSwitch)
		}
	}
	if s.end.Kind == EndSwitch && !s.keepTail {
		clear(p)
	}
}

func (s *Scanner) stop(cause error) {
	s.end = End{LSN: s.valid, Kind: EndInvalid, Cause: cause}
}

// resume takes the rest of an open record at the beginning of the page's body
// and returns how many bytes of it, padding included, are used up.
func (s *Scanner) resume(h PageHeader, body []byte) int {
	if h.Flags&PageOverwrites != 0 {
		s.left = 0
		return 0
	}
	if h.Left == 0 {
		return 0
	}
	if s.left == 0 {
		s.left, s.trusted, s.carried = h.Left, true, true
	}
	if s.pos == 0 {
		s.opening.left = h.Left
	}
	n := min(int(s.left), len(body))
	s.feed(body[:n])
	if s.left > 0 {
		return n
	}
	used := align8(n)
	s.finish(h.Address+LSN(h.Size()+used), body[used:])
	return used
}

// feed gives the open record its next bytes.
func (s *Scanner) feed(b []byte) {
	s.left -= uint32(len(b))
	if s.carried {
		s.opening.n += copy(s.opening.head[s.opening.n:], b)
	}
	if !s.trusted {
		s.open.feed(b)
	}
}

// finish judges the open record, now complete; it ends, padding included,
// at end, where rest begins.
func (s *Scanner) finish(end LSN, rest []byte) {
	if s.trusted {
		s.finishTrusted(end, rest)
		return
	}
	o := &s.open
	if err := s.checkHeader(o.lsn, o.header); err != nil {
		s.stop(err)
		return
	}
	if !o.sound() {
		s.stop(&RecordError{o.lsn, "wrong CRC"})
		return
	}
	if !s.carried {
		s.facts.starts(o.lsn)
		s.facts.count(o.lsn, o.header)
		s.facts.note(o.record(), &o.xact)
	}
	s.complete(o.lsn, o.header, end)
}

// finishTrusted ends a record of which only the rest was seen. It can be a
// switch, if little enough of it was; then no record follows.
func (s *Scanner) finishTrusted(end LSN, rest []byte) {
	s.valid = end
	if s.blind && splitSwitch(s.opening.head[:s.opening.n]) && !s.plausible(rest) {
		s.end = End{LSN: end, Kind: EndSwitch}
	}
}

// complete moves on behind a valid record.
func (s *Scanner) complete(lsn LSN, h RecordHeader, end LSN) {
	s.prev, s.prevKnown = lsn, true
	s.valid = end
	if h.is(RmgrXLOG, infoSwitch) {
		s.end = End{LSN: end, Kind: EndSwitch}
	}
}

// record takes the record at the beginning of b, the rest of a page, and
// returns how many bytes of the page are used up. b has at least 8 bytes: a
// record's length is never split.
func (s *Scanner) record(lsn LSN, b []byte) int {
	length := binary.LittleEndian.Uint32(b)
	if err := checkLength(lsn, length); err != nil {
		s.stop(err)
		return 0
	}
	var h RecordHeader
	if len(b) >= RecordHeaderSize {
		h = parseRecordHeader(b)
		if err := s.checkHeader(lsn, h); err != nil {
			s.stop(err)
			return 0
		}
	}
	if int(length) > len(b) {
		s.begin(lsn, length, b)
		return len(b)
	}
	rec := b[:length]
	if checksum(rec) != h.CRC {
		s.stop(&RecordError{lsn, "wrong CRC"})
		return 0
	}
	s.facts.starts(lsn)
	s.facts.count(lsn, h)
	s.noteWhole(lsn, h, rec)
	used := align8(int(length))
	s.complete(lsn, h, lsn+LSN(used))
	return used
}

// noteWhole hands a record that lies in one page to the facts.
func (s *Scanner) noteWhole(lsn LSN, h RecordHeader, rec []byte) {
	switch h.Rmgr {
	case RmgrXLOG, RmgrTablespace, RmgrTDE:
		s.facts.note(record{h, lsn, rec}, nil)
	case RmgrTransaction:
		x := newXactReader(h, s.identity.Major)
		x.feed(rec[RecordHeaderSize:])
		s.facts.note(record{h, lsn, rec}, &x)
	}
}

// begin opens a record that goes on in the next page; b is what this one has.
func (s *Scanner) begin(lsn LSN, length uint32, b []byte) {
	s.left, s.trusted, s.carried = length, false, false
	s.open.reset(lsn, length, s.identity.Major)
	s.feed(b)
}
