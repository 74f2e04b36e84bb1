//go:build integration

package pgtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestRewind rewinds an old leader with the archive's WAL: pg_rewind calls the
// restore_command from another directory, with an absolute path, for a server
// that does not run. What it reads lies behind the fork, too.
func TestRewind(t *testing.T) {
	t.Parallel()
	old, leader, a := pair(t)
	old.Set("restore_command", a.GetCommand())
	old.Note("common")
	leader.WaitReplayed(old.LSN())
	leader.Promote()
	leader.Query("CHECKPOINT") // until then pg_control has the old timeline, which misleads pg_rewind before 16
	leader.Note("new")
	leader.Archive()
	for range 3 {
		old.Note("diverged")
		old.Archive()
	}
	old.Stop()
	removeAllSegmentsButLast(t, old)

	pgtest.MustRun(t, "/", old.Program("pg_rewind"), "-D", old.Data, "-c", "--no-sync", "--source-server="+leader.Conninfo())
	old.Set("archive_mode", "off") // pg_rewind took the leader's configuration
	old.Set("primary_conninfo", leader.Conninfo())
	old.Follow()
	leader.Note("newer")
	old.Start()
	old.WaitReplayed(leader.LSN())
	wantNotes(t, old, "common new newer")
	wantSound(t, a)
}

func removeAllSegmentsButLast(t *testing.T, s *pgtest.Server) {
	t.Helper()
	last := s.Control("Latest checkpoint's REDO WAL file")
	for _, name := range s.Segments() {
		if name < last {
			if err := os.Remove(s.Segment(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCallsFromOutside calls push and get as Patroni does: without a shell, by
// absolute path, from another directory, with next to no environment; the WAL
// directory is a symbolic link.
func TestCallsFromOutside(t *testing.T) {
	t.Parallel()
	walDir := filepath.Join(pgtest.Scratch(t), "wal")
	s := pgtest.Init(t, pgtest.Newest(t), smallSegments, "--waldir="+walDir)
	a := pgtest.NewArchive(t, tools)
	a.Init(s)
	s.Set("archive_mode", "on")
	s.Set("archive_command", "false") // the server's own archiver is no help
	s.Start()
	s.Note("kept")
	name := s.Switch()
	s.Stop()

	a.MustDo("push", s.Segment(name))
	a.MustDo("push", s.Segment(name)) // again: the same content is no error
	want := s.WALDump(s.Segment(""), name, name)
	if err := os.Remove(s.Segment(name)); err != nil {
		t.Fatal(err)
	}
	wantGot(t, a, s, name)
	if got := s.WALDump(s.Segment(""), name, name); got != want {
		t.Error("pg_waldump differs")
	}
	next := "0000000100000000000000F0"
	if r := a.Get(s, next); r.Code != 1 {
		t.Errorf("get of a segment behind the end: exit %d, want 1\n%s", r.Code, r.Stderr)
	}
}

// TestManyArchivers pushes every segment of a live server from several
// processes at once, the server's own among them: all succeed, one object is
// stored.
func TestManyArchivers(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	s.Fill()
	load := s.StartLoad(300)
	for range 5 {
		name := s.Switch()
		pushAtOnce(t, a, s.Segment(name), 4)
		s.WaitArchived(name)
		if stored := a.Objects(name); len(stored) != 1 {
			t.Errorf("stored for %s: %q, want one object", name, stored)
		}
	}
	load.Stop()
	wantNoFailedPushes(t, s)
	wantSound(t, a)
}

func pushAtOnce(t *testing.T, a *pgtest.Archive, path string, processes int) {
	t.Helper()
	var waits []func() pgtest.Result
	for range processes {
		waits = append(waits, a.Begin("push", path))
	}
	for _, wait := range waits {
		if r := wait(); r.Code != 0 {
			t.Errorf("push %s: exit %d\n%s", path, r.Code, r.Stderr)
		}
	}
}
