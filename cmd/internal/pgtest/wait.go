package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Until polls done until it is true and fails the test when that takes longer
// than patience. what completes the sentence "waited in vain until ...".
func Until(t testing.TB, done func() bool, what string, args ...any) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if done() {
			return
		}
	}
	t.Fatalf("waited in vain until "+what, args...)
}

// WaitArchived waits until the archiver has archived the WAL file name.
func (s *Server) WaitArchived(name string) {
	s.t.Helper()
	mark := filepath.Join(s.Data, "pg_wal/archive_status", name+".done")
	Until(s.t, func() bool { return exists(mark) }, "%s was archived", name)
}

// WaitReplayed waits until a standby has replayed up to lsn.
func (s *Server) WaitReplayed(lsn string) {
	s.t.Helper()
	ask := fmt.Sprintf("SELECT coalesce(pg_last_wal_replay_lsn() >= '%s', false)", lsn)
	Until(s.t, func() bool { return s.Query(ask) == "t" }, "%s was replayed", lsn)
}

// WaitPromoted waits until the server's recovery or standby time is over.
func (s *Server) WaitPromoted() {
	s.t.Helper()
	Until(s.t, func() bool { return s.Query("SELECT pg_is_in_recovery()") == "f" }, "recovery ended")
}

// WaitStreaming waits until a standby streams from s.
func (s *Server) WaitStreaming(standbys int) {
	s.t.Helper()
	ask := "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
	Until(s.t, func() bool { return s.Query(ask) == fmt.Sprint(standbys) }, "%d standbys streamed", standbys)
}

// WaitLog waits until the server's log holds text.
func (s *Server) WaitLog(text string) {
	s.t.Helper()
	Until(s.t, func() bool { return s.Logged(text) }, "the log said %q", text)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
