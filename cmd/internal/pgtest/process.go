package pgtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// environment is all that servers, clients and our commands inherit: nothing
// of the caller's may reach them.
func environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}

// patience bounds a single program; the machine may be busy.
const patience = 60 * time.Second

// Result is what a finished program left behind.
type Result struct {
	Code   int            // exit code, -1 when a signal ended it
	Signal syscall.Signal // 0 when none did
	Took   time.Duration
	Stdout string
	Stderr string
}

// credential is the account of the server: initdb and postgres refuse to run
// as root, so that root's tests run them as postgres. Otherwise it is nil.
func credential(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Own gives path to the server's account.
func Own(t testing.TB, path string) {
	t.Helper()
	if c := credential(t); c != nil {
		if err := os.Lchown(path, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// Scratch makes a directory of the server's account that goes away with the
// test. Its path is short: the path of a unix socket has 107 bytes at most.
func Scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	Own(t, dir)
	return dir
}

// WriteFile writes a file of the server's account.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	Own(t, path)
}

// command prepares a program that runs as the server's account in dir.
func command(t testing.TB, dir, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t), Setpgid: true}
	return cmd
}

// Run runs a program as the server's account in dir and waits for its end.
func Run(t testing.TB, dir, program string, args ...string) Result {
	t.Helper()
	return Begin(t, dir, program, args...)()
}

// Begin is Run that does not wait; the function it returns does.
func Begin(t testing.TB, dir, program string, args ...string) (wait func() Result) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := command(t, dir, program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p := begin(t, cmd)
	return func() Result {
		t.Helper()
		if !p.endsWithin(patience) {
			p.kill()
			t.Fatalf("%s %q did not end in %v", program, args, patience)
		}
		r := p.result()
		r.Stdout, r.Stderr = stdout.String(), stderr.String()
		return r
	}
}

// Kill is Run that ends with SIGKILL unless it has ended by itself before.
func Kill(t testing.TB, after time.Duration, dir, program string, args ...string) Result {
	t.Helper()
	p := begin(t, command(t, dir, program, args...))
	if !p.endsWithin(after) {
		p.kill()
		<-p.ended
	}
	return p.result()
}

// MustRun is Run for a program that has to succeed; it returns its output.
func MustRun(t testing.TB, dir, program string, args ...string) string {
	t.Helper()
	r := Run(t, dir, program, args...)
	if r.Code != 0 {
		t.Fatalf("%s %q: exit %d\n%s%s", filepath.Base(program), args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// process is a started program in a process group of its own.
type process struct {
	cmd   *exec.Cmd
	took  time.Duration // set when it has ended
	ended chan struct{}
}

func begin(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.WaitDelay = time.Second // grandchildren may hold the pipes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	begin := time.Now()
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // the ProcessState tells all
		p.took = time.Since(begin)
	}()
	return p
}

func (p *process) endsWithin(d time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(d):
		return false
	}
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// result is valid once the process has ended.
func (p *process) result() Result {
	r := Result{Code: p.cmd.ProcessState.ExitCode(), Took: p.took}
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.Signal = ws.Signal()
	}
	return r
}

// signal reaches the program alone, kill its whole group. One that has ended
// takes no notice.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *process) kill() {
	if p.running() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}
