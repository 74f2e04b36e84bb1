//go:build integration

package pgtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestAgentUnderLoad archives a server under load by an agent that is killed,
// stopped and started again. No push fails, nothing is lost.
func TestAgentUnderLoad(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	g := a.StartAgent(s)
	backup := s.BaseBackup()
	s.Fill()
	load := s.StartLoad(300)
	s.Archive()
	if !g.Logged("ahead=true") {
		t.Errorf("nothing was pushed ahead:\n%s", g.Log())
	}

	g.Kill()
	s.WaitWork()
	s.Archive() // alone

	g = a.StartAgent(s)
	g.Signal(syscall.SIGSTOP)
	s.Archive()
	if !s.Logged("working alone") || !s.Logged("i/o timeout") {
		t.Error("the log does not say that the agent hangs")
	}
	g.Signal(syscall.SIGCONT)
	s.Archive()

	other := a.StartAgent(archivedOther(t, a), "agent.workers=1") // of another server, same spool
	other.Stop()

	g.Signal(syscall.SIGHUP)
	pgtest.Until(t, func() bool { return g.Logged("the configuration was read again") }, "the agent read its configuration")
	s.Archive()
	load.Stop()
	s.WaitArchived(s.Switch())
	mark := s.State()
	s.Archive()
	g.Stop()
	s.Note("after the agent")
	s.Archive()

	wantNoFailedPushes(t, s)
	wantSound(t, a)
	wantState(t, recovered(t, s.Postgres, backup, a), mark)
}

// archivedOther is a second server on the same host.
func archivedOther(t *testing.T, a *pgtest.Archive) *pgtest.Server {
	t.Helper()
	s := pgtest.Init(t, pgtest.Newest(t), smallSegments)
	s.Start()
	return s
}

// TestAgentWithoutStore: while the store is away the backlog grows in pg_wal;
// afterwards it drains.
func TestAgentWithoutStore(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	a = a.Impatient()
	s.Set("archive_command", a.PushCommand())
	s.Reload()
	g := a.StartAgent(s)
	first := s.Archive()
	store := a.Store.Directory(t)
	a.MoveAway()
	last := ""
	for range 12 {
		s.Noise(700)
		last = s.Switch()
	}
	pgtest.Until(t, func() bool { return s.FailedPushes() != "0" }, "a push failed")
	if n := s.Ready(); n < 12 {
		t.Errorf("%d files wait, want 12", n)
	}
	if err := os.Rename(store+".away", store); err != nil {
		t.Fatal(err)
	}
	s.Reload() // wakes the archiver
	s.WaitArchived(last)
	wantSound(t, a)
	if r := a.Do("verify", "--from", first, "--to", last); r.Code != 0 {
		t.Errorf("verify: exit %d\n%s", r.Code, r.Stdout)
	}
	g.Stop()
}

// TestPromotionWithAgents: two servers archive to one place through an agent
// each; the history of the new timeline comes first.
func TestPromotionWithAgents(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	primary := a.StartAgent(s)
	backup := s.BaseBackup()
	s.Note("before")
	s.Archive()
	standby := pgtest.Restore(t, s.Postgres, backup)
	standby.Set("restore_command", a.GetCommand())
	standby.Set("primary_conninfo", s.Conninfo())
	standby.Set("archive_mode", "on")
	standby.Set("archive_command", a.PushCommand())
	standby.Follow()
	standby.Start()
	second := a.StartAgent(standby)
	s.WaitStreaming(1)
	standby.WaitReplayed(s.LSN())
	s.Stop()
	primary.Stop()
	standby.Promote()
	standby.Note("after")
	standby.Archive()
	a.Object("00000002.history")
	log := second.Log()
	if h, seg := strings.Index(log, "file=00000002.history"), strings.Index(log, "file=00000002000000"); h < 0 || seg < 0 || h > seg {
		t.Errorf("history at %d, first segment at %d of the agent's log\n%s", h, seg, log)
	}
	wantNoFailedPushes(t, standby)
	wantSound(t, a)
	wantNotes(t, recovered(t, s.Postgres, backup, a), "before after")
}

// TestAutostart: the first push starts an agent, whose death the server
// survives.
func TestAutostart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		launch func(*pgtest.Server)
	}{
		{"on a host", (*pgtest.Server).Launch},
		{"in a container with an init process", func(s *pgtest.Server) { s.LaunchInside(true) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, a := autostarting(t)
			tt.launch(s)
			s.WaitUp()
			s.Archive()
			pgtest.Until(t, func() bool { return len(a.Agents()) == 1 }, "an agent was started")
			pgtest.Until(t, func() bool { return len(sockets(t, a)) == 1 }, "it listened")
			s.Archive()
			a.Agents()[0].Signal(syscall.SIGKILL)
			pgtest.Until(t, func() bool { return len(a.Agents()) == 0 }, "it was gone")
			s.Note("alive")
			s.Archive()
			wantUnharmed(t, s)
			wantNoFailedPushes(t, s)
			wantSound(t, a)
			for _, g := range a.Agents() {
				g.Signal(syscall.SIGTERM)
			}
			pgtest.Until(t, func() bool { return len(a.Agents()) == 0 }, "agents have ended")
		})
	}
}

// TestNoAutostartBelowPostgres: where PostgreSQL is process 1 there is no agent.
func TestNoAutostartBelowPostgres(t *testing.T) {
	t.Parallel()
	s, a := autostarting(t)
	s.LaunchInside(false)
	s.WaitUp()
	for range 3 {
		s.Note("alive")
		s.Archive()
		if n := len(a.Agents()); n != 0 {
			t.Errorf("%d agents run", n)
		}
	}
	if n := strings.Count(s.Log(), "process 1 is PostgreSQL's"); n != 1 {
		t.Errorf("it was said %d times that there is no agent", n)
	}
	wantUnharmed(t, s)
	wantNoFailedPushes(t, s)
	wantSound(t, a)
}

func autostarting(t *testing.T) (*pgtest.Server, *pgtest.Archive) {
	t.Helper()
	s := pgtest.Init(t, pgtest.Newest(t), smallSegments)
	a := pgtest.NewArchive(t, tools)
	a.Init(s)
	s.Set("archive_mode", "on")
	s.Set("archive_command", strings.Replace(a.PushCommand(), " push ", " --set agent.autostart=true --set agent.idle=1m push ", 1))
	return s, a
}

func sockets(t *testing.T, a *pgtest.Archive) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(a.Spool, "*", "agent-????????"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantUnharmed(t *testing.T, s *pgtest.Server) {
	t.Helper()
	for _, text := range []string{"was terminated by signal", "terminating any other active server processes", "reinitializing"} {
		if s.Logged(text) {
			t.Errorf("the server's log says %q", text)
		}
	}
}
