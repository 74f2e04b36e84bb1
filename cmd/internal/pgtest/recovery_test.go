//go:build integration

package pgtest_test

import (
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestRecovery is the main job: archive under load, take a base backup, and
// recover to the end, to a time, to an LSN, and to a named restore point.
func TestRecovery(t *testing.T) {
	t.Parallel()
	for _, p := range pgtest.Debian(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			recovery(t, p, pgtest.NewArchive(t, tools))
		})
	}
}

func recovery(t *testing.T, p pgtest.Postgres, a *pgtest.Archive, initdb ...string) {
	s := archivedTo(t, a, p, initdb...)
	s.Fill()
	load := s.StartLoad(100)
	backup := s.BaseBackup()
	first := s.Archive()
	s.WaitWork()
	mark := s.Mark("here")
	s.WaitWork()
	s.Archive()
	load.Stop()
	end, last := s.State(), s.Archive()
	wantNoFailedPushes(t, s)
	wantSound(t, a)
	wantSameRecords(t, s, a, backup, first, last)

	for _, c := range []struct{ target, setting, value, want string }{
		{"end", "recovery_target_timeline", "latest", end},
		{"time", "recovery_target_time", mark.Time, mark.State},
		{"LSN", "recovery_target_lsn", mark.LSN, mark.State},
		{"restore point", "recovery_target_name", mark.Name, mark.State},
	} {
		t.Run("to "+c.target, func(t *testing.T) {
			t.Parallel()
			r := recovered(t, p, backup, a, c.setting, c.value)
			wantState(t, r, c.want)
		})
	}
}

// TestSegmentSizes archives and recovers with the sizes that differ from the
// usual 16 MiB of TestRecovery.
func TestSegmentSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"1", "64"} {
		t.Run(size+" MiB", func(t *testing.T) {
			t.Parallel()
			p := pgtest.Newest(t)
			s, a := archived(t, p, "--wal-segsize="+size)
			backup := s.BaseBackup()
			s.Fill()
			want := s.State()
			s.Archive()
			wantSound(t, a)
			wantState(t, recovered(t, p, backup, a), want)
		})
	}
}

// TestKeyRotation rotates the principal key under load; recovery crosses it.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	p := pgtest.Newest(t)
	s, a := archived(t, p, smallSegments)
	s.Fill()
	backup := s.BaseBackup()
	load := s.StartLoad(100)
	s.WaitWork()
	s.Archive()
	a.MustDo("keys", "rotate", "--to", "wal-2027", "--create-key")
	s.WaitWork()
	s.Archive()
	s.Archive()
	load.Stop()
	want := s.State()
	s.Archive()

	wantNoFailedPushes(t, s)
	wantSound(t, a)
	wantState(t, recovered(t, p, backup, a), want)
}

// TestQuietServer archives segments that hold next to nothing, as
// archive_timeout and pg_switch_wal make them.
func TestQuietServer(t *testing.T) {
	t.Parallel()
	p := pgtest.Newest(t)
	s, a := archived(t, p)
	backup := s.BaseBackup()
	for _, text := range []string{"a", "b", "c"} {
		s.Note(text)
		s.Archive()
	}
	s.Set("archive_timeout", "1s")
	s.Reload()
	s.Note("d")
	current := s.CurrentSegment()
	s.WaitArchived(current)

	if size := fileSize(t, a.Object(current)); size > 1<<20 {
		t.Errorf("a segment with one row takes %d bytes in the archive", size)
	}
	wantSound(t, a)
	wantNotes(t, recovered(t, p, backup, a), "a b c d")
}

// TestCrash crashes the server under load; archiving goes on where it was.
func TestCrash(t *testing.T) {
	t.Parallel()
	p := pgtest.Newest(t)
	s, a := archived(t, p, smallSegments)
	s.Fill()
	backup := s.BaseBackup()
	for range 2 {
		load := s.StartLoad(300)
		s.WaitWork()
		s.Archive()
		s.Crash()
		load.Stop()
		s.Start()
	}
	want := s.State()
	s.Archive()

	wantNoFailedPushes(t, s)
	wantSound(t, a)
	wantState(t, recovered(t, p, backup, a), want)
}
