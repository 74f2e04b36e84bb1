package wal

import (
	"encoding/binary"
	"fmt"
)

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
		s.whole.reset(h, s.identity.Major)
		s.whole.feed(rec[RecordHeaderSize:])
		s.facts.note(record{h, lsn, rec}, &s.whole)
	}
}

// begin opens a record that goes on in the next page; b is what this one has.
func (s *Scanner) begin(lsn LSN, length uint32, b []byte) {
	s.left, s.trusted, s.carried = length, false, false
	s.open.reset(lsn, length, s.identity.Major)
	s.feed(b)
}
