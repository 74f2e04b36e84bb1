//go:build integration

package pgtest_test

import (
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestStandbyByArchive follows a primary by its archive alone, then takes over.
func TestStandbyByArchive(t *testing.T) {
	t.Parallel()
	standbyByArchive(t, pgtest.NewArchive(t, tools))
}

func standbyByArchive(t *testing.T, a *pgtest.Archive) {
	s := archivedTo(t, a, pgtest.Newest(t), smallSegments)
	r := pgtest.Restore(t, s.Postgres, s.BaseBackup())
	r.Set("restore_command", a.GetCommand())
	r.Follow()
	r.Launch()
	for _, said := range []string{"one", "two", "three"} {
		s.Note(said)
		lsn := s.LSN()
		s.Archive()
		r.WaitUp()
		r.WaitReplayed(lsn)
		if got, want := r.Notes(), s.Notes(); got != want {
			t.Fatalf("notes on the standby: got %q, want %q", got, want)
		}
	}
	s.Stop()
	r.Promote()
	r.Note("promoted")
	wantNotes(t, r, "one two three promoted")
}

// TestCascade archives from a primary, its standby and the standby's standby,
// all with archive_mode=always, at the same time under the same names.
func TestCascade(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	backup := s.BaseBackup()
	middle := always(s.Standby(), a)
	middle.Start()
	s.WaitStreaming(1)
	last := always(middle.Standby(), a)
	last.Start()
	middle.WaitStreaming(1)

	var name string
	for _, said := range []string{"one", "two", "three"} {
		s.Note(said)
		name = s.Archive()
	}
	middle.WaitArchived(name)
	last.WaitArchived(name)
	s.Note("tail") // in the segment that ends unfinished
	last.WaitReplayed(s.LSN())
	s.Stop()

	middle.Promote()
	middle.Note("new")
	last.WaitReplayed(middle.LSN())
	name = middle.Archive()
	last.WaitArchived(name)
	for _, server := range []*pgtest.Server{middle, last} {
		wantNoFailedPushes(t, server)
	}
	wantSound(t, a)
	wantNotes(t, recovered(t, s.Postgres, backup, a), "one two three tail new")
}

func always(s *pgtest.Server, a *pgtest.Archive) *pgtest.Server {
	a.ArchiveFrom(s)
	s.Set("archive_mode", "always")
	return s
}

// TestStandbyInTrouble: a standby that cannot use the archive says so and goes
// on streaming.
func TestStandbyInTrouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(*testing.T, *pgtest.Archive) *pgtest.Archive
	}{
		{"store away", storeAway},
		{"wrong key", wrongKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, r, a := pair(t)
			s.Note("one")
			s.Set("archive_command", "true") // it would wait for the archive when it stops
			s.Reload()
			r.Stop()
			r.Set("restore_command", tt.spoil(t, a).GetCommand())
			r.Start()
			s.WaitStreaming(1)
			s.Note("two")
			r.WaitReplayed(s.LSN())
			wantNotes(t, r, "one two")
			r.WaitLog("walrestore: get ")
		})
	}
}

// TestPromotionWithoutStore: a store that cannot be reached is no obstacle.
func TestPromotionWithoutStore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		trouble func(*testing.T, *pgtest.Archive)
	}{
		{"store away", func(_ *testing.T, a *pgtest.Archive) { a.MoveAway() }},
		{"store hangs", func(t *testing.T, a *pgtest.Archive) { pgtest.HangFile(t, a.KeyChain()) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := pgtest.NewArchive(t, tools)
			promotionWithoutStore(t, a, func(*pgtest.Server) { tt.trouble(t, a) })
		})
	}
}

// promotionWithoutStore measures what a promotion costs more while the store
// is in trouble: at most five seconds.
func promotionWithoutStore(t *testing.T, a *pgtest.Archive, trouble func(standby *pgtest.Server)) {
	s, healthy := pairOf(t, pgtest.Newest(t), a)
	troubled := follower(s, a)
	s.WaitStreaming(2)
	s.Note("kept")
	for _, r := range []*pgtest.Server{healthy, troubled} {
		r.WaitReplayed(s.LSN())
	}
	s.Stop()
	usual := healthy.Promote()
	healthy.WaitArchived("00000002.history")
	trouble(troubled)
	took := troubled.Promote()
	t.Logf("promotion took %v, with trouble %v", usual, took)
	if more := (took - usual).Seconds(); more > 5 {
		t.Errorf("promotion took %.1f s longer, want at most 5", more)
	}
	wantNotes(t, troubled, "kept")
}
