//go:build integration

package pgtest_test

import (
	"testing"

	"walarchive/cmd/internal/pgtest"
	"walarchive/cmd/internal/teststores"
	"walarchive/storage/storagetest/servers"
)

// TestStores does the main job on every kind of store, one server for all of
// the scenarios on a kind.
func TestStores(t *testing.T) {
	t.Parallel()
	p := pgtest.Newest(t)
	onEveryStore(t, map[string]func(*testing.T, *pgtest.Archive){
		"recovery":              func(t *testing.T, a *pgtest.Archive) { recovery(t, p, a, smallSegments) },
		"failover":              func(t *testing.T, a *pgtest.Archive) { failover(t, p, a) },
		"standby by archive":    standbyByArchive,
		"ends":                  ends,
		"trouble":               inTrouble,
		"killed pushes":         killedPushes,
		"two primaries":         twoPrimaries,
		"promotion, store mute": promotedWithout,
	})
}

// onEveryStore runs scenarios side by side on all kinds of stores over TLS,
// each with an archive of its own, which is not opened yet.
func onEveryStore(t *testing.T, scenarios map[string]func(*testing.T, *pgtest.Archive)) {
	t.Helper()
	certificates := servers.NewCertificates(t)
	for _, kind := range teststores.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			newStore := kind.Start(t, &certificates)
			for name, scenario := range scenarios {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					scenario(t, pgtest.NewArchiveIn(t, tools, newStore(t)))
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
