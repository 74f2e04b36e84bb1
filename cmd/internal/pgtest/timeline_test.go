//go:build integration

package pgtest_test

import (
	"strings"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// pair starts a primary that archives and a streaming standby that will
// archive to the same place once promoted.
func pair(t *testing.T) (primary, standby *pgtest.Server, a *pgtest.Archive) {
	t.Helper()
	a = pgtest.NewArchive(t, tools)
	primary, standby = pairOf(t, pgtest.Newest(t), a)
	return primary, standby, a
}

func pairOf(t *testing.T, p pgtest.Postgres, a *pgtest.Archive) (primary, standby *pgtest.Server) {
	t.Helper()
	primary = archivedTo(t, a, p, smallSegments)
	standby = follower(primary, a)
	primary.WaitStreaming(1)
	return primary, standby
}

// follower starts a streaming standby of s that uses the archive both ways.
func follower(s *pgtest.Server, a *pgtest.Archive) *pgtest.Server {
	r := s.Standby()
	a.ArchiveFrom(r)
	r.Set("restore_command", a.GetCommand())
	r.Start()
	return r
}

// TestPromotion archives .history and .partial of a promotion, and recovers
// across it as well as along the old timeline.
func TestPromotion(t *testing.T) {
	t.Parallel()
	t.Run("failover", func(t *testing.T) {
		t.Parallel()
		failover(t, pgtest.Newest(t), pgtest.NewArchive(t, tools))
	})
	t.Run("switchover", func(t *testing.T) {
		t.Parallel()
		stop := func(s *pgtest.Server) { s.Stop() } // ends the segment: its rows are archived
		promotion(t, pgtest.Newest(t), pgtest.NewArchive(t, tools), stop, "before old tail")
	})
}

func failover(t *testing.T, p pgtest.Postgres, a *pgtest.Archive) {
	promotion(t, p, a, (*pgtest.Server).Crash, "before old")
}

// promotion ends the old primary, whose complete segments then hold the notes
// wantOld, and promotes its standby.
func promotion(t *testing.T, p pgtest.Postgres, a *pgtest.Archive, end func(*pgtest.Server), wantOld string) {
	old, leader := pairOf(t, p, a)
	old.Note("before")
	backup := old.BaseBackup()
	old.Note("old")
	old.Archive()
	old.Note("tail")
	leader.WaitReplayed(old.LSN())
	end(old)

	leader.Promote()
	leader.WaitArchived("00000002.history")
	leader.WaitArchived(leader.Partial())
	leader.Note("new")
	leader.Archive()
	wantNoFailedPushes(t, leader)
	wantSound(t, a)

	for _, c := range []struct{ timeline, get, want string }{
		{"latest", "latest", "before old tail new"},
		{"2", "2", "before old tail new"},
		{"1", "1", wantOld},
		{"current", "1", wantOld}, // the backup's
	} {
		r := recovered(t, old.Postgres, backup, a, "recovery_target_timeline", c.timeline,
			"restore_command", a.GetCommand("--timeline", c.get))
		if got := r.Notes(); got != c.want {
			t.Errorf("recovery to timeline %s: got %q, want %q", c.timeline, got, c.want)
		}
	}
}

// TestForkNotArchivedYet: an old leader goes on and archives the segment in
// which the new leader branched off, before the new leader has archived its
// own. Nobody may replay beyond the fork.
func TestForkNotArchivedYet(t *testing.T) {
	t.Parallel()
	old, leader, a := pair(t)
	old.Note("common")
	backup := old.BaseBackup()
	old.Archive()
	old.Note("last")
	leader.WaitReplayed(old.LSN())
	leader.Promote()
	leader.WaitArchived("00000002.history")

	old.Note("diverged")
	old.Archive() // the fork's segment, with a row too many
	old.Note("further")
	old.Archive() // one wholly behind the fork

	p := pgtest.Newest(t)
	r := recovered(t, p, backup, a, "recovery_target_timeline", "latest")
	wantNotes(t, r, "common last")

	leader.Note("new")
	leader.Archive()
	wantNotes(t, recovered(t, p, backup, a, "recovery_target_timeline", "latest"), "common last new")
	wantNotes(t, recovered(t, p, backup, a, "recovery_target_timeline", "1",
		"restore_command", a.GetCommand("--timeline", "1")), "common last diverged further")
	wantNoFailedPushes(t, old)
	wantNoFailedPushes(t, leader)
	wantSound(t, a)
}

// TestTwoPromotions promotes two standbys of one timeline, the second from
// further ahead; both go on archiving, and both ends of the timeline are kept.
func TestTwoPromotions(t *testing.T) {
	t.Parallel()
	old, first, a := pair(t)
	second := follower(old, a)
	old.WaitStreaming(2)
	old.Note("common")
	backup := old.BaseBackup() // ends a segment
	old.Note("last")
	first.WaitReplayed(old.LSN())
	first.Set("primary_conninfo", "")
	first.Reload()
	old.WaitStreaming(1)
	old.Note("further")
	second.WaitReplayed(old.LSN())
	old.Crash()

	first.Promote()
	first.Note("first")
	first.WaitArchived("00000002.history")
	partial := first.Partial()
	first.WaitArchived(partial)
	second.Promote()
	second.Note("second")
	second.WaitArchived("00000003.history")
	if got := second.Partial(); got != partial {
		t.Fatalf("the timeline ends in %s and %s, want one segment", partial, got)
	}
	second.WaitArchived(partial)
	first.Archive()
	second.Archive()

	wantNoFailedPushes(t, first)
	wantNoFailedPushes(t, second)
	wantSound(t, a)
	var kept []string
	for _, path := range a.Objects(partial) {
		kept = append(kept, path[strings.LastIndexByte(path, '/')+1:])
	}
	if len(kept) != 2 {
		t.Errorf("partial segments in the archive: got %q, want %s and %s.<end LSN>", kept, partial, partial)
	}
	p := pgtest.Newest(t)
	for timeline, want := range map[string]string{"2": "common last first", "3": "common last further second"} {
		wantNotes(t, recovered(t, p, backup, a, "recovery_target_timeline", timeline,
			"restore_command", a.GetCommand("--timeline", timeline)), want)
	}
}
