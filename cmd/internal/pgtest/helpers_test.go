//go:build integration

package pgtest_test

import (
	"os"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// archived starts a new cluster that archives to a directory, and returns it
// with its archive.
func archived(t *testing.T, p pgtest.Postgres, initdb ...string) (*pgtest.Server, *pgtest.Archive) {
	t.Helper()
	a := pgtest.NewArchive(t, tools)
	return archivedTo(t, a, p, initdb...), a
}

// archivedTo starts a new cluster that archives to a, which is new, too.
func archivedTo(t *testing.T, a *pgtest.Archive, p pgtest.Postgres, initdb ...string) *pgtest.Server {
	t.Helper()
	s := pgtest.Init(t, p, initdb...)
	a.Init(s)
	a.ArchiveFrom(s)
	s.Start()
	return s
}

// recovered restores a base backup and recovers from the archive to the end,
// with settings as name, value pairs on top.
func recovered(t *testing.T, p pgtest.Postgres, backup string, a *pgtest.Archive, settings ...string) *pgtest.Server {
	t.Helper()
	r := restored(t, p, backup, a, settings...)
	r.Start()
	r.WaitPromoted()
	return r
}

// restored is recovered before its start.
func restored(t *testing.T, p pgtest.Postgres, backup string, a *pgtest.Archive, settings ...string) *pgtest.Server {
	t.Helper()
	r := pgtest.Restore(t, p, backup)
	r.Set("restore_command", a.GetCommand())
	r.Set("recovery_target_action", "promote")
	for i := 0; i < len(settings); i += 2 {
		r.Set(settings[i], settings[i+1])
	}
	r.Recover()
	return r
}

func wantNotes(t *testing.T, s *pgtest.Server, want string) {
	t.Helper()
	if got := s.Notes(); got != want {
		t.Errorf("notes: got %q, want %q", got, want)
	}
}

// wantSound lets the archive prove itself, every byte of it.
func wantSound(t *testing.T, a *pgtest.Archive) {
	t.Helper()
	if r := a.Do("verify", "--level", "full"); r.Code != 0 {
		t.Errorf("verify --level full: exit %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func wantNoFailedPushes(t *testing.T, s *pgtest.Server) {
	t.Helper()
	if n := s.FailedPushes(); n != "0" {
		t.Errorf("archive_command failed %s times", n)
	}
}

func wantState(t *testing.T, s *pgtest.Server, want string) {
	t.Helper()
	if got := s.State(); got != want {
		t.Errorf("tables differ: got\n%s\nwant\n%s", got, want)
	}
}

// wantSameRecords gets the segments first to last from the archive and
// compares their records with those that the server still has. Versions
// without a pg_waldump of their own rely on verify.
func wantSameRecords(t *testing.T, s *pgtest.Server, a *pgtest.Archive, backup, first, last string) {
	t.Helper()
	if !s.Has("pg_waldump") {
		return
	}
	r := pgtest.Restore(t, s.Postgres, backup)
	for _, name := range s.Segments() {
		if name >= first && name <= last {
			wantGot(t, a, r, name)
		}
	}
	got := r.WALDump(r.Segment(""), first, last)
	if want := s.WALDump(s.Segment(""), first, last); got != want {
		t.Errorf("pg_waldump of %s to %s differs from the server's", first, last)
	}
}

// wantGot gets a WAL file into a data directory whose server does not run.
func wantGot(t *testing.T, a *pgtest.Archive, r *pgtest.Server, name string) {
	t.Helper()
	if got := a.Get(r, name); got.Code != 0 {
		t.Fatalf("get %s: exit %d\n%s", name, got.Code, got.Stderr)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
