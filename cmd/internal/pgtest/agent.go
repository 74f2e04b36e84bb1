package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Agent is a running agent of one server.
type Agent struct {
	t    testing.TB
	main *process
	log  string // file
}

// StartAgent starts the agent of a server, which need not run, with settings
// (key=value) on top. It ends with the test.
func (a *Archive) StartAgent(s *Server, settings ...string) *Agent {
	a.t.Helper()
	args := []string{"agent", "--set", "log.level=info"}
	for _, set := range settings {
		args = append(args, "--set", set)
	}
	g := &Agent{t: a.t, log: filepath.Join(Scratch(a.t), "agent.log")}
	log, err := os.Create(g.log)
	if err != nil {
		a.t.Fatal(err)
	}
	defer log.Close()
	call := a.call(a.Walarchive, args...)
	cmd := command(a.t, s.Data, call[0], call[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	g.main = begin(a.t, cmd)
	a.t.Cleanup(g.cleanUp)
	g.WaitLog("the agent is ready", 1)
	return g
}

// Signal sends it a signal; one that has ended takes no notice.
func (g *Agent) Signal(s syscall.Signal) { g.main.signal(s) }

// Kill ends it by SIGKILL.
func (g *Agent) Kill() {
	g.main.kill()
	<-g.main.ended
}

// Stop is SIGTERM; it returns when the agent has ended.
func (g *Agent) Stop() {
	g.t.Helper()
	g.Signal(syscall.SIGTERM)
	if !g.main.endsWithin(patience) {
		g.t.Fatal("the agent did not end")
	}
}

// PeakMemory is the greatest resident size so far, in bytes.
func (g *Agent) PeakMemory() int64 {
	g.t.Helper()
	path := fmt.Sprintf("/proc/%d/status", g.main.cmd.Process.Pid)
	b, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	var kB int64
	_, text, _ := strings.Cut(string(b), "VmHWM:")
	if _, err := fmt.Sscan(text, &kB); err != nil {
		g.t.Fatalf("%s: %v", path, err)
	}
	return kB << 10
}

// Logged reports whether the log holds text.
func (g *Agent) Logged(text string) bool { g.t.Helper(); return strings.Contains(g.Log(), text) }

// Log is all it ever said.
func (g *Agent) Log() string {
	g.t.Helper()
	b, err := os.ReadFile(g.log)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// WaitLog waits until the log holds text n times.
func (g *Agent) WaitLog(text string, n int) {
	g.t.Helper()
	Until(g.t, func() bool { return strings.Count(g.Log(), text) >= n }, "the agent said %q %d times", text, n)
}

func (g *Agent) cleanUp() {
	g.main.signal(syscall.SIGCONT)
	g.main.signal(syscall.SIGTERM)
	if !g.main.endsWithin(patience) {
		g.main.kill()
		g.t.Error("the agent did not end")
	}
	if g.t.Failed() {
		g.t.Logf("log of the agent:\n%s", g.Log())
	}
}
