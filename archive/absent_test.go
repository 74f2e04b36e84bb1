package archive_test

import (
	"errors"
	"os"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// On timeline 1 segments 3, 4 and 6 are there, and of timeline 2, which nobody
// can reach without its history, segment 7.
func TestAbsence(t *testing.T) {
	tests := []struct {
		name string
		file string
		more func(s *site)
		want error
	}{
		{"behind the newest segment", seg(1, 7), nil, archive.ErrEnd},
		{"far behind it", seg(1, 5000), nil, archive.ErrEnd},
		{"before a later segment", seg(1, 5), nil, archive.ErrHole},
		{"before the first", seg(1, 2), nil, archive.ErrHole},
		{"on another timeline", seg(3, 5), nil, archive.ErrEnd},
		{"segments of a higher log do count", seg(1, 7), func(s *site) {
			s.putObject("wal/00000001/00000001/00000001/" + seg(1, 4096))
		}, archive.ErrHole},
		{"before a partial segment", seg(1, 7), func(s *site) {
			s.putObject("wal/00000001/00000001/00000000/" + seg(1, 8) + ".partial")
		}, archive.ErrHole},
		{"beside its own partial segment", seg(1, 7), func(s *site) {
			s.putObject("wal/00000001/00000001/00000000/" + seg(1, 7) + ".partial")
			s.putObject("wal/00000001/00000001/00000000/" + seg(1, 7) + ".partial.0000000000700100")
		}, archive.ErrEnd},
		{"small files do not count", seg(1, 7), func(s *site) {
			s.putObject("wal/00000001/00000001/" + seg(1, 9) + ".00000028.backup")
			s.putObject("wal/00000001/00000001/00000001.history")
		}, archive.ErrEnd},
		{"partial, nothing later", seg(1, 7) + ".partial", nil, archive.ErrEnd},
		{"partial before a later segment", seg(1, 5) + ".partial", nil, archive.ErrHole},
		{"history of timeline 1", "00000001.history", nil, archive.ErrEnd},
		{"history without WAL", "00000003.history", nil, archive.ErrEnd},
		{"history of a timeline with WAL", "00000002.history", nil, archive.ErrHole},
		{"history of a timeline with a partial segment", "00000003.history", func(s *site) {
			s.putObject("wal/00000001/00000003/00000000/" + seg(3, 8) + ".partial")
		}, archive.ErrHole},
		{"backup history file", seg(1, 4) + ".00000028.backup", nil, archive.ErrEnd},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			s.fill(4)
			s.drop(seg(1, 5))
			s.putObject("wal/00000001/00000002/00000000/" + seg(2, 7))
			if tt.more != nil {
				tt.more(s)
			}
			_, _, err := restore(t, s.a, s.target, tt.file, archive.GetOptions{})
			wantError(t, err, tt.want)
			if errors.Is(err, archive.ErrEnd) == errors.Is(err, archive.ErrHole) {
				t.Errorf("%v is both or neither", err)
			}
			var hint interface{ Hint() string }
			if tt.want == archive.ErrHole && !errors.As(err, &hint) {
				t.Errorf("%v: no hint", err)
			}
		})
	}
}

// putObject stores something under a name: a listing looks no further.
func (s *site) putObject(name string) {
	s.t.Helper()
	if err := s.a.PutRaw(s.t.Context(), name, nil); err != nil {
		s.t.Fatal(err)
	}
}

// Without a listing nobody knows whether the archive ends.
func TestAbsenceNeedsAListing(t *testing.T) {
	for name, fault := range map[string]error{"refused": storage.ErrPermission, "broken": storagetest.Cut(0)} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			s.fill(1)
			s.faults.Fail = func(op, _ string, _ int) error {
				if op == "list" {
					return fault
				}
				return nil
			}
			_, _, err := restore(t, s.a, s.target, seg(1, 2), archive.GetOptions{})
			if err == nil || errors.Is(err, archive.ErrEnd) || errors.Is(err, archive.ErrHole) {
				t.Errorf("got %v, want neither an end nor a hole", err)
			}
		})
	}
}

func TestAMissListsOnce(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(2)
	s.calls.Reset()
	_, _, err := restore(t, s.a, s.target, seg(1, 9), archive.GetOptions{})
	wantError(t, err, archive.ErrEnd)
	// 00000002.history and the segment are asked for.
	if lists, gets := s.calls.Count("list"), s.calls.Count("get"); lists != 1 || gets != 2 {
		t.Errorf("got %v, want one list and two gets", s.calls.Calls())
	}
}

// The last segments before a promotion never reached the archive; what comes
// after them, on the child, did. To stop here would lose it.
func TestWALOfTheChildMakesAHole(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(3) // 3, 4, 5
	s.Fill(600_000)
	fork := s.LSN()
	child := branchAt(s.Writer, 2)
	s.writeUp(child, 6, 7)
	s.pushHistory(2, left(1, fork))
	s.drop(seg(1, 5))

	tests := []struct {
		name     string
		timeline wal.Timeline
		dest     string
		want     error
	}{
		{"following the child", 0, recoveryDest, archive.ErrHole},
		{"following the parent", 1, recoveryDest, archive.ErrEnd},
		{"by hand", 0, "pg_wal/" + seg(1, 5), archive.ErrEnd},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.a.Get(t.Context(), s.target, seg(1, 5), tt.dest, archive.GetOptions{Timeline: tt.timeline})
			wantError(t, err, tt.want)
		})
	}
}

// All of timeline 2 is missing, between its parent and its child.
func TestALostTimelineIsAHole(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(2) // 3, 4
	s.Fill(600_000)
	first := s.LSN()
	two := branchAt(s.Writer, 2)
	s.pushHistory(2, left(1, first))
	for range 2 {
		two.Fill(0) // 5, 6
	}
	two.Fill(600_000)
	second := two.LSN()
	three := branchAt(two, 3)
	s.pushHistory(3, left(1, first), left(2, second))
	s.writeUp(three, 7, 8)

	for _, name := range []string{seg(2, 5), seg(2, 6), seg(1, 5)} {
		_, _, err := restore(t, s.a, s.target, name, archive.GetOptions{})
		wantError(t, err, archive.ErrHole)
	}
	_, _, err := restore(t, s.a, s.target, seg(3, 9), archive.GetOptions{})
	wantError(t, err, archive.ErrEnd)
}

// Segments that an old leader wrote beyond the fork are not what a recovery of
// the child would lose.
func TestADeadBranchMakesNoHole(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(2) // 3, 4
	s.Fill(600_000)
	fork := s.LSN()
	s.Fill(0)
	s.fill(2) // 6, 7
	s.pushHistory(2, left(1, fork))
	for _, name := range []string{seg(2, 5), seg(1, 5), seg(1, 6)} {
		_, _, err := restore(t, s.a, s.target, name, archive.GetOptions{})
		wantError(t, err, archive.ErrEnd)
	}
}

// A server that has the child's history in pg_wal, from streaming, follows it
// although the archive does not have it yet.
func TestHistoriesInPgWALCount(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(2) // 3, 4
	s.Fill(600_000)
	fork := s.LSN()
	s.Fill(0)
	s.push(seg(1, 5), s.Segment(5))
	s.fill(1)
	h := wal.History{Timeline: 2, Entries: []wal.HistoryEntry{left(1, fork)}}
	path := s.target.Path + "/pg_wal/00000002.history"
	if err := os.WriteFile(path, h.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir() + "/RECOVERYXLOG"
	if _, err := s.a.Get(t.Context(), s.target, seg(1, 6), dest, archive.GetOptions{}); !errors.Is(err, archive.ErrEnd) {
		t.Errorf("got %v, want %v", err, archive.ErrEnd)
	}
	got, err := s.a.Get(t.Context(), s.target, seg(1, 5), dest, archive.GetOptions{})
	if err != nil || got.Cut != fork {
		t.Errorf("got %+v, %v, want a cut at %v", got, err, fork)
	}
	s.target.Control.CheckpointTimeline = 2
	if got, err = s.a.Get(t.Context(), s.target, seg(1, 5), dest, archive.GetOptions{}); err != nil || got.Cut != fork {
		t.Errorf("on timeline 2: got %+v, %v, want a cut at %v", got, err, fork)
	}
	if err := os.WriteFile(path, []byte("1\t0/5"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.target.Control.CheckpointTimeline = 1
	if got, err = s.a.Get(t.Context(), s.target, seg(1, 5), dest, archive.GetOptions{}); err != nil || got.Cut != 0 {
		t.Errorf("with half a history: got %+v, %v, want the whole segment", got, err)
	}
}
