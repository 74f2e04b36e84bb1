package agent

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAdoptedByPostmaster(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pgdata := t.TempDir()
	if _, ok := adoptedByPostmaster(cmd.Process.Pid, pgdata); ok {
		t.Error("any process counts as a postmaster")
	}
	pidFile := fmt.Sprintf("%d\n%s\n1\n", cmd.Process.Pid, pgdata)
	if err := os.WriteFile(filepath.Join(pgdata, "postmaster.pid"), []byte(pidFile), 0o600); err != nil {
		t.Fatal(err)
	}
	name, ok := adoptedByPostmaster(cmd.Process.Pid, pgdata)
	if !ok || !strings.HasPrefix(name, fmt.Sprintf("%d ", cmd.Process.Pid)) {
		t.Errorf("the server's own postmaster: got %q, %v", name, ok)
	}
	if other := processName(os.Getpid()); other == name || other == "" {
		t.Errorf("two processes are called %q and %q", name, other)
	}

	postgres := filepath.Join(t.TempDir(), "postgres")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sleep, postgres); err != nil {
		t.Fatal(err)
	}
	another := exec.Command(postgres, "60")
	if err := another.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = another.Process.Kill(); _ = another.Wait() }()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, ok := adoptedByPostmaster(another.Process.Pid, t.TempDir()); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a postmaster of another server counts as none")
		}
	}
}

func TestNote(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	n := note(filepath.Join(dir, "s.start"))
	me := processName(os.Getpid())
	if n.about(me) || n.younger(time.Hour) {
		t.Error("there is a note that nobody wrote")
	}
	if err := n.write(filepath.Join(dir, "s"), me); err != nil {
		t.Fatal(err)
	}
	if !n.about(me) || !n.younger(time.Hour) {
		t.Error("the note is not found")
	}
	gone := strings.Fields(me)[0] + " 1" // the process id is used again
	if err := n.write(filepath.Join(dir, "s"), gone); err != nil {
		t.Fatal(err)
	}
	if n.about(n.adopter()) {
		t.Error("a process that has gone still counts")
	}
}

func TestOwnEnviron(t *testing.T) {
	got := ownEnviron([]string{"A=1", "NOTIFY_SOCKET=/run/x", "LISTEN_FDS=1", "WALARCHIVE_CONFIG=/c"})
	if want := []string{"A=1", "WALARCHIVE_CONFIG=/c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
