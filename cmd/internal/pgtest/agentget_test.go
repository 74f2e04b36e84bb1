//go:build integration

package pgtest_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// withAgent is a server restored from a backup, to be recovered through an
// agent that runs already.
func withAgent(t *testing.T, s *pgtest.Server, backup string, a *pgtest.Archive, settings ...string) (*pgtest.Server, *pgtest.Agent) {
	t.Helper()
	r := restored(t, s.Postgres, backup, a)
	return r, a.StartAgent(r, settings...)
}

// TestRecoveryWithAgent recovers through the agent, with room for what it
// fetches ahead and with next to none.
func TestRecoveryWithAgent(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	backup := s.BaseBackup()
	s.Fill()
	want := s.State()
	s.Archive()
	s.Stop()
	for name, settings := range map[string][]string{
		"as it is":           nil,
		"with little memory": {"agent.memory=16"},
		"with no spool":      {"agent.memory=16", "agent.spool=0"},
		"fetching none":      {"agent.prefetch=0"},
	} {
		t.Run(name, func(t *testing.T) {
			r, g := withAgent(t, s, backup, a, settings...)
			r.Start()
			r.WaitPromoted()
			wantState(t, r, want)
			if n := strings.Count(g.Log(), "msg=restored"); n < 10 {
				t.Errorf("the agent restored %d files", n)
			}
			var status struct {
				Counts struct{ Restored, Absent int }
			}
			answer := pgtest.MustRun(t, r.Data, a.Walarchive, "--config", a.File, "agent", "status", "--json")
			if err := json.Unmarshal([]byte(answer), &status); err != nil || status.Counts.Restored < 10 || status.Counts.Absent == 0 {
				t.Errorf("%v, of the status\n%s", err, answer)
			}
			if r.Logged("working alone") {
				t.Error("a call had to work alone")
			}
		})
	}
}

// TestRecoveryWithoutTheAgentItHad loses the agent in the middle: killed, or
// stopped so that it does not answer.
func TestRecoveryWithoutTheAgentItHad(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	backup := s.BaseBackup()
	s.Fill()
	want := s.State()
	s.Archive()
	s.Stop()
	// SIGSTOP comes last: calls leave an agent alone for a while that was silent.
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSTOP} {
		t.Run(signal.String(), func(t *testing.T) {
			r, g := withAgent(t, s, backup, a)
			r.Launch()
			g.WaitLog("msg=restored", 3)
			g.Signal(signal)
			r.WaitUp()
			r.WaitPromoted()
			wantState(t, r, want)
		})
	}
}

// TestTimelinesWithAgent recovers across a promotion through the agent, and
// follows one that happens while it fetches ahead.
func TestTimelinesWithAgent(t *testing.T) {
	t.Parallel()
	old, leader, a := pair(t)
	old.Note("before")
	backup := old.BaseBackup()
	old.Note("old")
	old.Archive()
	follows := pgtest.Restore(t, old.Postgres, backup)
	follows.Set("restore_command", a.GetCommand())
	follows.Follow()
	g := a.StartAgent(follows)
	follows.Start()
	follows.WaitReplayed(old.LSN())

	old.Note("tail")
	leader.WaitReplayed(old.LSN())
	old.Crash()
	leader.Promote()
	leader.Note("new")
	lsn := leader.LSN()
	leader.Archive()

	follows.WaitReplayed(lsn)
	wantNotes(t, follows, "before old tail new")
	follows.Promote()
	follows.Note("own")
	wantNotes(t, follows, "before old tail new own")
	if !strings.Contains(g.Log(), "file=00000002.history") {
		t.Error("the agent has not seen the history")
	}

	r, _ := withAgent(t, old, backup, a)
	r.Start()
	r.WaitPromoted()
	wantNotes(t, r, "before old tail new")
}

// TestPromotionWithoutStoreAndAgent: neither a store that is away nor an agent
// that hangs, nor both, keep a standby from its promotion.
func TestPromotionWithoutStoreAndAgent(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(a *pgtest.Archive, g *pgtest.Agent){
		"store away":  func(a *pgtest.Archive, _ *pgtest.Agent) { a.MoveAway() },
		"agent hangs": func(_ *pgtest.Archive, g *pgtest.Agent) { g.Signal(syscall.SIGSTOP) },
		"both": func(a *pgtest.Archive, g *pgtest.Agent) {
			a.MoveAway()
			g.Signal(syscall.SIGSTOP)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := pgtest.NewArchive(t, tools)
			promotionWithoutStore(t, a, func(standby *pgtest.Server) {
				trouble(a, a.StartAgent(standby))
			})
		})
	}
}
