//go:build integration

package procbench

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A push of what the agent has already stored may cost little more than a
// process that does nothing.
func TestPushByAgent(t *testing.T) {
	s := newServer(t, false)
	spool, err := os.MkdirTemp("", "spool") // the path of a socket has to be short
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(spool)) })
	set := []string{"--set", "spool.path=" + spool}
	agent := exec.Command(filepath.Join(s.bin, "walarchive"), append([]string{"--config", s.config, "agent"}, set...)...)
	agent.Stderr = os.Stderr
	check(t, agent.Start())
	t.Cleanup(func() {
		check(t, agent.Process.Signal(syscall.SIGTERM))
		_ = agent.Wait() // by that signal
	})
	push := append([]string{"--config", s.config, "push", s.path}, set...)
	answered := func() bool {
		found, err := filepath.Glob(filepath.Join(spool, "*", "agent-????????"))
		return err == nil && len(found) == 1
	}
	for deadline := time.Now().Add(20 * time.Second); !answered(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the agent does not listen")
		}
	}
	s.run(t, "walarchive", push...)
	var version, pushed time.Duration // the least: what others do on the machine only adds
	for range 60 {
		version = least(version, timed(t, s, "version"))
		pushed = least(pushed, timed(t, s, push...))
	}
	t.Logf("walarchive version: %v, push of what the agent has stored: %v", version, pushed)
	if most := version * 3 / 2; pushed > most {
		t.Errorf("the push takes %v, want at most %v", pushed, most)
	}
}

func least(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

func timed(t *testing.T, s *server, args ...string) time.Duration {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "walarchive"), args...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	begin := time.Now()
	check(t, cmd.Run())
	return time.Since(begin)
}
