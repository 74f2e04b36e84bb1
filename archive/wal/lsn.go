package wal

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// LSN is a byte position in the write-ahead log. Zero is PostgreSQL's
// InvalidXLogRecPtr. It prints as PostgreSQL prints it: two hexadecimal
// halves, 16/B374D848.
type LSN uint64

func (l LSN) String() string {
	return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l))
}

// ParseLSN reads what LSN.String and PostgreSQL's pg_lsn print.
func ParseLSN(s string) (LSN, error) {
	hi, lo, ok := strings.Cut(s, "/")
	if ok && hexDigits(hi, 1, 8) && hexDigits(lo, 1, 8) {
		h, _ := strconv.ParseUint(hi, 16, 32)
		l, _ := strconv.ParseUint(lo, 16, 32)
		return LSN(h<<32 | l), nil
	}
	return 0, fmt.Errorf("%q is not an LSN such as 16/B374D848", s)
}

// MarshalText makes LSNs strings in JSON: a 64-bit number would lose bits in
// readers that hold numbers as floating point.
func (l LSN) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText is ParseLSN.
func (l *LSN) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLSN(string(b))
	return err
}

func hexDigits(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'F', 'a' <= c && c <= 'f':
		default:
			return false
		}
	}
	return true
}

// Timeline numbers a branch of a cluster's history; the first is 1. It prints
// in decimal, as in PostgreSQL's messages; file names carry it as eight
// hexadecimal digits (Timeline.Hex).
type Timeline uint32

func (t Timeline) String() string { return strconv.FormatUint(uint64(t), 10) }

// Hex is the form in file names: 0000000A.
func (t Timeline) Hex() string { return fmt.Sprintf("%08X", uint32(t)) }

// ParseTimeline reads what Timeline.String prints. Zero is no timeline.
func ParseTimeline(s string) (Timeline, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || s[0] == '+' || s[0] == '0' {
		return 0, fmt.Errorf("%q is not a timeline number", s)
	}
	return Timeline(n), nil
}

// Location is a position in one timeline. Locations are ordered by timeline
// first: that is how pg_tde orders the starts of its key ranges.
type Location struct {
	Timeline Timeline `json:"timeline"`
	LSN      LSN      `json:"lsn"`
}

func (l Location) String() string { return fmt.Sprintf("timeline %v at %v", l.Timeline, l.LSN) }

// Compare orders locations by timeline, then by LSN.
func (l Location) Compare(m Location) int {
	return cmp.Or(cmp.Compare(l.Timeline, m.Timeline), cmp.Compare(l.LSN, m.LSN))
}
