package wal

import "fmt"

// Carry is what the scan of one segment hands to that of the next, so that a
// record that crosses is checked whole and the first record's link back too.
type Carry struct {
	next      LSN // where it fits
	valid     LSN
	tli       Timeline
	prev      LSN
	prevKnown bool
	left      uint32
	trusted   bool
	open      *openRecord
}

// Carry is what the next segment's scan needs, of a child timeline's too. It
// is nil before Close and after an invalid end.
func (s *Scanner) Carry() *Carry {
	if s.end.Kind != EndFull && s.end.Kind != EndSwitch {
		return nil
	}
	c := &Carry{
		next:      s.seg.End(),
		valid:     s.valid,
		tli:       s.tli,
		prev:      s.prev,
		prevKnown: s.prevKnown,
		left:      s.left,
		trusted:   s.trusted,
	}
	if s.left > 0 && !s.trusted {
		open := s.open
		c.open = &open
	}
	return c
}

func (s *Scanner) take(c *Carry) {
	if c.next != s.seg.Start() {
		s.stop(fmt.Errorf("scan of %v carries on from WAL that ends at %v", s.seg, c.next))
		return
	}
	s.valid, s.tli = c.valid, c.tli
	s.prev, s.prevKnown = c.prev, c.prevKnown
	s.left, s.trusted, s.carried = c.left, c.trusted, c.left > 0
	if c.open != nil {
		s.open = *c.open
	}
}
