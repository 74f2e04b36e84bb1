//go:build integration

package pgtest_test

import (
	"fmt"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/cmd/internal/pgtest"
)

// TestSwitchAtSegmentEnd ends a segment by a switch record that begins in its
// last bytes, so that the record's end, and zeros behind it, are the whole of
// the next segment.
func TestSwitchAtSegmentEnd(t *testing.T) {
	t.Parallel()
	for _, left := range []int{8, 16} {
		t.Run(fmt.Sprintf("last %d bytes", left), func(t *testing.T) {
			t.Parallel()
			s, a := archived(t, pgtest.Newest(t), smallSegments)
			backup := s.BaseBackup()
			s.Note("before")
			first := switchAt(t, s, left)
			s.Note("after")
			last := s.Archive()

			wantNoFailedPushes(t, s)
			wantSound(t, a)
			wantNotes(t, recovered(t, s.Postgres, backup, a), "before after")
			wantSameRecords(t, s, a, backup, first.String(), last)
		})
	}
}

// switchAt fills the current segment up to its last bytes and switches there.
func switchAt(t *testing.T, s *pgtest.Server, left int) wal.Segment {
	t.Helper()
	const size = 1 << 20
	s.Switch() // an empty one to begin with
	at := parseLSN(t, s.InsertLSN())
	seg := wal.SegmentAt(1, at, size)
	room := roomInSegment(int(at-seg.Start()), size) - left
	s.Query(
		fmt.Sprintf("SELECT pg_logical_emit_message(false, '', repeat('x', %d))", room-messageOverhead),
		"SELECT pg_switch_wal()")

	dump := pgtest.Run(t, "/", s.Program("pg_waldump"), s.Segment(seg.String()), s.Segment(seg.Next().String()))
	want := fmt.Sprintf("lsn: %s", waldumpLSN(seg.End()-wal.LSN(left)))
	for line := range strings.Lines(dump.Stdout) {
		if strings.Contains(line, "desc: SWITCH") && strings.Contains(line, want) {
			s.WaitArchived(seg.Next().String())
			return seg
		}
	}
	t.Fatalf("no switch record with %s in\n%s%s", want, dump.Stdout, dump.Stderr)
	return seg
}

// messageOverhead is what a message record with an empty prefix has beside the
// message: record header, long data header, xl_logical_message, the prefix's
// final zero.
const messageOverhead = 24 + 5 + 24 + 1

// roomInSegment is how many bytes of records fit behind offset at, which is
// not inside a page header. (PostgreSQL: XLogBytePosToRecPtr.)
func roomInSegment(at, size int) int {
	const page, header = 8192, 24
	if at%page == 0 { // before a header that is not written yet
		return (size-at)/page*(page-header) - longHeaderMore(at)
	}
	return (size-at-1)/page*(page-header) + page - at%page
}

func longHeaderMore(at int) int {
	if at == 0 {
		return 40 - 24
	}
	return 0
}

func waldumpLSN(l wal.LSN) string { return fmt.Sprintf("%X/%08X", uint32(l>>32), uint32(l)) }

func parseLSN(t *testing.T, s string) wal.LSN {
	t.Helper()
	l, err := wal.ParseLSN(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
