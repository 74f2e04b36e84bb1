package wal

import "fmt"

// header reads and checks the header of the page at s.pos.
func (s *Scanner) header(p []byte) (PageHeader, error) {
	h, err := ParsePageHeader(p)
	if err != nil {
		return h, err
	}
	if s.pos == 0 && s.identity.Major == 0 {
		if s.identity.Major, _ = majorOf(h.Magic); s.identity.Major != 0 {
			s.magic, s.facts.major = h.Magic, s.identity.Major
		}
	}
	wrong := func(field, got, want string) error {
		return &PageError{s.pos, field, got, want}
	}
	if h.Magic != s.magic || s.magic == 0 {
		return h, wrong(FieldMagic, hex16(h.Magic), s.wantMagic())
	}
	if at := s.seg.Start() + LSN(s.pos); h.Address != at {
		return h, wrong(FieldAddress, h.Address.String(), at.String())
	}
	if long := h.Flags&PageLong != 0; long != (s.pos == 0) || h.Flags&^pageFlags != 0 {
		return h, wrong(FieldFlags, hex16(h.Flags), "a long header on the segment's first page only, no unknown flag")
	}
	if err := s.checkLong(h, wrong); err != nil {
		return h, err
	}
	if want := s.wantTimeline(h.Timeline); want != "" {
		return h, wrong(FieldTimeline, h.Timeline.String(), want)
	}
	if want := s.wantLeft(h); want != "" {
		return h, wrong(FieldLeft, fmt.Sprintf("%d bytes (flags %s)", h.Left, hex16(h.Flags)), want)
	}
	return h, nil
}

func (s *Scanner) wantMagic() string {
	if s.magic == 0 {
		return "one of PostgreSQL 15 to 18"
	}
	return fmt.Sprintf("%s of PostgreSQL %d", hex16(s.magic), s.identity.Major)
}

// checkLong checks what only the header of a segment's first page has.
func (s *Scanner) checkLong(h PageHeader, wrong func(field, got, want string) error) error {
	switch {
	case s.pos != 0:
		return nil
	case s.identity.SystemID != 0 && h.SystemID != s.identity.SystemID:
		return wrong(FieldSystemID, fmt.Sprint(h.SystemID), fmt.Sprint(s.identity.SystemID))
	case int64(h.SegmentSize) != s.seg.Size:
		return wrong(FieldSegmentSize, fmt.Sprint(h.SegmentSize), fmt.Sprint(s.seg.Size))
	case h.PageSize != PageSize:
		return wrong(FieldPageSize, fmt.Sprint(h.PageSize), fmt.Sprint(PageSize))
	}
	return nil
}

// wantTimeline says what a page's timeline should be if it is not t.
func (s *Scanner) wantTimeline(t Timeline) string {
	switch {
	case t < s.tli:
		return fmt.Sprintf("%v, that of the page before, or a later one", s.tli)
	case t == s.seg.Timeline:
		return ""
	case s.history != nil && !s.history.Contains(t), t == 0 || t > s.seg.Timeline:
		return fmt.Sprintf("%v, that of the name, or an ancestor of it", s.seg.Timeline)
	}
	return ""
}

// wantLeft says how much of an open record the page should continue if it is
// not what h has.
func (s *Scanner) wantLeft(h PageHeader) string {
	continues := h.Flags&PageContinues != 0
	switch {
	case continues != (h.Left > 0):
		return "the continuation flag if and only if a record continues"
	case h.Flags&PageOverwrites != 0:
		if continues {
			return "none, since the page voids the record left open"
		}
	case s.left > 0:
		if h.Left != s.left {
			return fmt.Sprintf("%d bytes", s.left)
		}
	case s.pos == 0 && s.blind:
		if h.Left > MaxRecordLength {
			return "less than 1 GiB"
		}
	case continues:
		return "none, since no record is open"
	}
	return ""
}

// checkLength refuses what cannot be a record's length; zero is what follows
// the last record that was written.
func checkLength(lsn LSN, length uint32) error {
	switch {
	case length == 0:
		return &RecordError{lsn, "length is zero, nothing was written here"}
	case length < RecordHeaderSize || length > MaxRecordLength:
		return &RecordError{lsn, fmt.Sprintf("length of %d bytes is impossible", length)}
	}
	return nil
}

// checkHeader checks what a record's header says, but for its CRC.
func (s *Scanner) checkHeader(lsn LSN, h RecordHeader) error {
	switch {
	case !h.Rmgr.Valid():
		return &RecordError{lsn, fmt.Sprintf("resource manager %d does not exist", h.Rmgr)}
	case s.prevKnown && h.Prev != s.prev:
		return &RecordError{lsn, fmt.Sprintf("links back to %v, want %v", h.Prev, s.prev)}
	case h.Prev >= lsn || !s.prevKnown && h.Prev >= s.seg.Start():
		return &RecordError{lsn, fmt.Sprintf("links back to %v, want what is before the segment", h.Prev)}
	}
	return nil
}

// splitSwitch reports whether b, the rest of a record, can be that of a
// switch record that began in the last 8 or 16 bytes of the segment before.
func splitSwitch(b []byte) bool {
	switch len(b) {
	case 16:
		b = b[8:]
	case 8:
	default:
		return false
	}
	// From here on as in the record header: info, resource manager, padding, CRC.
	return b[0]&infoMask == infoSwitch && Rmgr(b[1]) == RmgrXLOG && b[2] == 0 && b[3] == 0
}

// plausible reports whether b, behind the rest of a record, can begin with
// another: one that links back to before the segment, but not by more than a
// record can be long. Noise passes for one once in 2^33.
func (s *Scanner) plausible(b []byte) bool {
	h, err := ParseRecordHeader(b)
	return err == nil && checkLength(0, h.Length) == nil && h.Rmgr.Valid() &&
		h.Prev < s.seg.Start() && s.seg.Start()-h.Prev <= MaxRecordLength+MaxSegmentSize
}
