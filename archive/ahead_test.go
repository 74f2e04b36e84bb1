package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
)

// What a recovery asks for next follows the timelines: from the fork's segment
// on it is the child's.
func TestAheadFollowsTimelines(t *testing.T) {
	s, _ := forked(t, func(s *site) { s.Fill(600_000) }) // timeline 2 left in segment 5
	tests := []struct {
		name string
		file string
		dest string
		want []string
	}{
		{"over a fork", seg(1, 3), recoveryDest, []string{seg(1, 4), seg(2, 5), seg(2, 6)}},
		{"up to a fork", seg(1, 4), recoveryDest, []string{seg(2, 5), seg(2, 6), seg(2, 7)}},
		{"the parent's fork segment", seg(1, 5), recoveryDest, []string{seg(2, 6), seg(2, 7), seg(2, 8)}},
		{"by hand", seg(1, 3), "pg_wal/" + seg(1, 3), nil},
		{"a history", "00000002.history", "pg_wal/RECOVERYHISTORY", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.a.Get(t.Context(), s.target, tt.file, tt.dest, archive.GetOptions{Ahead: 3})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, object := range got.Ahead {
				names = append(names, filepath.Base(object))
			}
			if !slices.Equal(names, tt.want) {
				t.Errorf("next are %v, want %v", names, tt.want)
			}
		})
	}
}

// What is said to come next is where it lies.
func TestAheadNamesObjects(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(3)
	_, got, err := restore(t, s.a, s.target, names[0], archive.GetOptions{Ahead: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{s.object(names[1]), s.object(names[2])}; !slices.Equal(got.Ahead, want) {
		t.Errorf("got %v, want %v", got.Ahead, want)
	}
	mustRestore(t, s.a, s.target, names[1], content[names[1]])
}

// A file that the caller brought takes the content, and keeps its own name.
func TestGetIntoAFile(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(1)
	dest := filepath.Join(s.target.Path, recoveryDest)
	err := s.target.Receive(recoveryDest, func(f *os.File) error {
		_, err := s.a.Get(t.Context(), s.target, names[0], recoveryDest, archive.GetOptions{Into: f})
		if _, e := os.Stat(dest); e == nil {
			t.Error("it has its name before all is done")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(dest); err != nil || !bytes.Equal(b, content[names[0]]) {
		t.Errorf("%d bytes that are not the segment's, %v", len(b), err)
	}
}

// remembering is an archive that remembers for a minute by a clock of its own.
func (s *site) remembering() (*archive.Archive, *time.Time) {
	s.t.Helper()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	a, err := archive.Open(s.t.Context(), s.calls, s.ring, archive.Options{
		HistoryAge: time.Minute, Now: func() time.Time { return now },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return a, &now
}

// asked is how often the store was asked for histories since the last time.
func (s *site) asked() int {
	n := 0
	for _, c := range s.calls.Calls() {
		if strings.HasSuffix(c.Name, ".history") {
			n++
		}
	}
	s.calls.Reset()
	return n
}

// Segments cost one request each: whether there is a newer timeline is asked
// once in a while, and what is there is read once.
func TestHistoriesAreRemembered(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(3)
	s.pushHistory(2, left(1, 0x600000))
	a, now := s.remembering()
	s.calls.Reset()
	mustRestore(t, a, s.target, names[0], content[names[0]])
	if n := s.asked(); n != 2 {
		t.Errorf("%d questions for histories, want 2: timelines 2 and 3", n)
	}
	mustRestore(t, a, s.target, names[1], content[names[1]])
	if n := s.asked(); n != 0 {
		t.Errorf("%d questions for histories, want none", n)
	}
	*now = now.Add(2 * time.Minute)
	mustRestore(t, a, s.target, names[2], content[names[2]])
	if n := s.asked(); n != 1 {
		t.Errorf("after the time %d questions for histories, want 1: timeline 3", n)
	}
}

// A promotion elsewhere is noticed although timeline 2 was missing just now.
func TestPromotionIsNoticedThoughRemembered(t *testing.T) {
	const fork = wal.LSN(0x500000 + 600_000)
	tests := []struct {
		name    string
		promote func(t *testing.T, s *site, a *archive.Archive, now *time.Time)
		file    string
		want    error // nil: the segment, cut at the fork
	}{
		{"by time", func(t *testing.T, s *site, _ *archive.Archive, now *time.Time) {
			s.pushHistory(2, left(1, fork))
			*now = now.Add(2 * time.Minute)
		}, seg(1, 5), nil},
		{"because the server asks for the history", func(t *testing.T, s *site, a *archive.Archive, _ *time.Time) {
			s.pushHistory(2, left(1, fork))
			if _, err := a.Get(t.Context(), s.target, "00000002.history", "pg_wal/RECOVERYHISTORY", archive.GetOptions{}); err != nil {
				t.Fatal(err)
			}
		}, seg(1, 5), nil},
		{"because the server has it in pg_wal", func(t *testing.T, s *site, _ *archive.Archive, _ *time.Time) {
			h := wal.History{Timeline: 2, Entries: []wal.HistoryEntry{left(1, fork)}}
			if err := os.WriteFile(filepath.Join(s.target.Path, "pg_wal/00000002.history"), h.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}, seg(1, 5), nil},
		{"because a segment is missing", func(t *testing.T, s *site, _ *archive.Archive, _ *time.Time) {
			s.pushHistory(2, left(1, 0x800000))
			s.forge(wal.Segment{Timeline: 2, No: 8, Size: small.SegmentSize})
		}, seg(1, 7), archive.ErrHole},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			names, content := s.fill(4) // 3 to 6
			a, now := s.remembering()
			mustRestore(t, a, s.target, names[0], content[names[0]])
			tt.promote(t, s, a, now)
			_, got, err := restore(t, a, s.target, tt.file, archive.GetOptions{})
			switch {
			case tt.want != nil:
				wantError(t, err, tt.want)
			case err != nil:
				t.Error(err)
			case got.Cut != fork:
				t.Errorf("cut at %v, want %v", got.Cut, fork)
			}
		})
	}
}
