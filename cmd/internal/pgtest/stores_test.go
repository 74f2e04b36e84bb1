//go:build integration

package pgtest_test

import (
	"testing"

	"walarchive/cmd/internal/pgtest"
	"walarchive/cmd/internal/teststores"
	"walarchive/storage/storagetest/servers"
)

// A scenario gets an archive in a store of its own, not opened yet.
type scenario struct {
	name string
	run  func(*testing.T, *pgtest.Archive)
	// Servers of one protocol may differ in it: it runs on all of them.
	differs bool
}

// TestStores does the main job on every kind of store over TLS, with one
// server for all of the scenarios on a kind.
func TestStores(t *testing.T) {
	t.Parallel()
	p := pgtest.Newest(t)
	scenarios := []scenario{
		{"recovery", func(t *testing.T, a *pgtest.Archive) { recovery(t, p, a, smallSegments) }, true},
		{"failover", func(t *testing.T, a *pgtest.Archive) { failover(t, p, a) }, false},
		{"standby by archive", standbyByArchive, false},
		{"ends", ends, false},
		{"trouble", inTrouble, false},
		{"promotion, store mute", promotedWithout, false},
		{"killed pushes", killedPushes, true},
		{"two primaries", twoPrimaries, true},
	}
	certificates := servers.NewCertificates(t)
	for _, kind := range teststores.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			newStore := kind.Start(t, &certificates)
			for _, s := range scenarios {
				if kind.Again && !s.differs {
					continue
				}
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					s.run(t, pgtest.NewArchiveIn(t, tools, newStore(t)))
				})
			}
		})
	}
}

// ends: where the WAL ends recovery ends, and where some is missing it stops.
func ends(t *testing.T, a *pgtest.Archive) {
	s := archivedTo(t, a, pgtest.Newest(t), smallSegments)
	backup := s.BaseBackup()
	s.Note("one")
	s.Archive()
	r := recovered(t, s.Postgres, backup, a)
	wantNotes(t, r, "one")

	s.Set("archive_command", "true") // as one does who wants the alarms to end
	s.Reload()
	s.Note("two")
	s.Archive()
	s.Set("archive_command", a.PushCommand())
	s.Reload()
	s.Note("three")
	s.Archive()
	r = restored(t, s.Postgres, backup, a.Impatient())
	wantStopped(t, r, "exited with exit code 200")
	if says := "missing in the archive, though later WAL is there"; !r.Logged(says) {
		t.Errorf("the log does not say %q", says)
	}
}
