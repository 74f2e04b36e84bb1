//go:build integration

// Package servers starts real stores for the integration tests of backends,
// each on a port of its own of 127.0.0.1 and with a directory of its own. What
// is started are the programs in .bin, which cmd/internal/testenv/install.sh
// builds; a missing one fails the test.
//
// A server lives as long as its test, and never longer than the test process.
// Its log is printed if the test fails.
package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take until it answers.
const patience = 30 * time.Second

// program is the path of a program in .bin at the root of the module.
func program(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Root(t), ".bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run cmd/internal/testenv/install.sh (make install)", err)
	}
	return path
}

// Root is the directory of the module.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("the test does not run inside the module")
		}
		dir = parent
	}
}

// start starts the server that command describes for an address, until it is
// ready, and returns the address. Another process may take the port before
// the server does: then there is another try.
func start(t testing.TB, command func(addr string) *exec.Cmd, ready func(addr string) error) string {
	t.Helper()
	for range 3 {
		addr := freeAddr(t)
		s := begin(t, command(addr))
		err := s.await(func() error { return ready(addr) })
		if err == nil {
			return addr
		}
		if !strings.Contains(s.output(t), "address already in use") {
			t.Fatalf("%s: %v\n%s", filepath.Base(s.cmd.Path), err, s.output(t))
		}
	}
	t.Fatal("three free ports were taken by others")
	return ""
}

// freeAddr is an address nobody listens at.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// server is a process that serves.
type server struct {
	cmd  *exec.Cmd
	log  string // a file
	done chan struct{}
}

// begin starts a process that ends with the test. The thread that starts it
// stays: Pdeathsig fires at the end of the thread, not of the process.
func begin(t testing.TB, cmd *exec.Cmd) *server {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s := &server{cmd: cmd, log: f.Name(), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		err := cmd.Start()
		started <- errors.Join(err, f.Close())
		if err == nil {
			_ = cmd.Wait() // it was killed
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *server) stop(t testing.TB) {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // it may be gone already
	<-s.done
	if t.Failed() {
		t.Logf("%s said:\n%s", filepath.Base(s.cmd.Path), s.output(t))
	}
}

func (s *server) output(t testing.TB) string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// await asks ready until it gives no error.
func (s *server) await(ready func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := ready()
		switch {
		case err == nil:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("not ready after %v: %w", patience, err)
		}
		select {
		case <-s.done:
			return errors.New("ended at once")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
