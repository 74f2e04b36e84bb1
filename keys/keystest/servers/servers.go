//go:build integration || cosmian

// Package servers starts real key services for the integration tests of
// drivers, each on a port of its own of 127.0.0.1 and with a directory of its
// own. What is started are the programs in .bin, which
// cmd/internal/testenv/install.sh installs; a missing one fails the test.
//
// A server lives as long as its test, and never longer than the test process.
// Its log is printed if the test fails.
package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take until it answers.
const patience = 30 * time.Second

// Program is the path of a program in .bin at the root of the module.
func Program(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err = os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the test does not run inside the module")
		}
		dir, err = filepath.Dir(dir), nil
	}
	path := filepath.Join(dir, ".bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run cmd/internal/testenv/install.sh (make install)", err)
	}
	return path
}

// FreeAddr is an address nobody listens at.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Process is a server that runs.
type Process struct {
	cmd  *exec.Cmd
	log  string // a file
	done chan struct{}
}

// Start starts cmd until ready gives no error; it ends with the test. The
// thread that starts it stays: Pdeathsig fires at the end of the thread, not
// of the process.
func Start(t testing.TB, cmd *exec.Cmd, ready func() error) *Process {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{cmd: cmd, log: f.Name(), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed, as a rule
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, p.Log(t))
		}
	})
	if err := p.await(ready); err != nil {
		t.Fatal(err)
	}
	return p
}

// Stop ends the server and all it started, and waits for that. What has ended
// is left alone: its number may be another process's by now.
func (p *Process) Stop() {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// Log is what the server has written.
func (p *Process) Log(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (p *Process) await(ready func() error) error {
	deadline := time.After(patience)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended", p.cmd.Path)
		case <-deadline:
			return fmt.Errorf("%s does not answer: %w", p.cmd.Path, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
