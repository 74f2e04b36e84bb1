package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// behaviour names, in the environment of a child, what the child does instead
// of running the tests.
const behaviour = "COMMAND_TEST_BEHAVIOUR"

func TestMain(m *testing.M) {
	if run, ok := behaviours[os.Getenv(behaviour)]; ok {
		AbortOnCrash()
		Main(run)
	}
	if os.Getenv(behaviour) == "no abort" {
		Main(behaviours["panic"])
	}
	os.Exit(m.Run())
}

var behaviours = map[string]Run{
	"code":  func(context.Context, Process) int { return 7 },
	"panic": func(context.Context, Process) int { panic("broken") },
	"nil": func(context.Context, Process) int {
		var p *Process
		return len(p.Args)
	},
	"map writes":    mapWrites,
	"out of memory": outOfMemory,
	"stack overflow": func(context.Context, Process) int {
		debug.SetMaxStack(1 << 20)
		var recurse func(int) int
		recurse = func(n int) int { return recurse(n+1) + 1 }
		return recurse(0)
	},
	"deadlock": func(context.Context, Process) int {
		var m sync.Mutex
		m.Lock()
		go func() { panic("in another goroutine") }()
		m.Lock()
		return 0
	},
	"stop in order": func(ctx context.Context, p Process) int {
		_, _ = io.WriteString(p.Stdout, "ready\n")
		<-ctx.Done()
		_, _ = io.WriteString(p.Stderr, context.Cause(ctx).Error())
		return 0
	},
	"never stop": func(_ context.Context, p Process) int {
		_, _ = io.WriteString(p.Stdout, "ready\n")
		for {
			time.Sleep(time.Hour)
		}
	},
	"chatter": func(_ context.Context, p Process) int {
		for {
			_, _ = io.WriteString(p.Stdout, "line\n")
		}
	},
	"complain": func(_ context.Context, p Process) int {
		for range 1000 {
			_, _ = io.WriteString(p.Stderr, "line\n")
		}
		return 3
	},
	"core limit": func(_ context.Context, p Process) int {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &l); err != nil || l.Cur != 0 || l.Max != 0 {
			return 1
		}
		return 0
	},
}

// mapWrites makes the runtime find two writers of one map, a fatal error that
// no recover stops.
func mapWrites(context.Context, Process) int {
	m := map[int]int{}
	for n := range 8 {
		go func() {
			for {
				m[n]++
			}
		}()
	}
	time.Sleep(10 * time.Second)
	return 0
}

// outOfMemory asks for more than the process may have.
func outOfMemory(context.Context, Process) int {
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20})
	var kept []byte
	for len(kept) < 1<<40 {
		kept = append(kept, make([]byte, 64<<20)...)
	}
	return len(kept)
}

func child(t *testing.T, behave string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), behaviour+"="+behave, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// status runs a child to its end.
func status(t *testing.T, cmd *exec.Cmd) syscall.WaitStatus {
	t.Helper()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// PostgreSQL takes any code from 1 to 125 of a restore_command for "the WAL
// ends here". Whatever kills the Go runtime must not end in one.
func TestCrashesEndBySIGABRT(t *testing.T) {
	for _, name := range []string{"panic", "nil", "map writes", "out of memory", "stack overflow", "deadlock"} {
		t.Run(name, func(t *testing.T) {
			cmd := child(t, name)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if s := status(t, cmd); !s.Signaled() || s.Signal() != syscall.SIGABRT {
				t.Errorf("status %#x (%v), want death by SIGABRT\n%.600s", uint32(s), cmd.ProcessState, &stderr)
			}
		})
	}
}

// The contrast that makes AbortOnCrash necessary.
func TestCrashWithoutAbort(t *testing.T) {
	if s := status(t, child(t, "no abort")); s.ExitStatus() != 2 {
		t.Errorf("exit status %d, want Go's 2", s.ExitStatus())
	}
}

func TestExitCode(t *testing.T) {
	if s := status(t, child(t, "code")); s.ExitStatus() != 7 {
		t.Errorf("exit status %d, want 7", s.ExitStatus())
	}
}

func TestNoCoreFiles(t *testing.T) {
	if s := status(t, child(t, "core limit")); s.ExitStatus() != 0 {
		t.Errorf("exit status %d: the core limit is not 0", s.ExitStatus())
	}
}

func TestSignals(t *testing.T) {
	tests := []struct {
		name, behave string
		signal       syscall.Signal
		says         string // on stderr
	}{
		{"SIGTERM", "stop in order", syscall.SIGTERM, "stopped by signal: terminated"},
		{"SIGINT", "stop in order", syscall.SIGINT, "stopped by signal: interrupt"},
		{"SIGTERM of a program that hangs", "never stop", syscall.SIGTERM, ""},
		{"SIGQUIT", "stop in order", syscall.SIGQUIT, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := child(t, tt.behave)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			start(t, cmd)
			sent := time.Now()
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			took := time.Since(sent)
			s := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !s.Signaled() || s.Signal() != tt.signal {
				t.Errorf("ended by %v, want death by %v", cmd.ProcessState, tt.signal)
			}
			if s.CoreDump() {
				t.Error("left a core file")
			}
			if took > 2*time.Second { // one, and one for a busy machine
				t.Errorf("took %v", took)
			}
			if stderr.String() != tt.says {
				t.Errorf("stderr %q, want %q", stderr.String(), tt.says)
			}
		})
	}
}

// start starts a child and waits until it says that it is ready.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
}

// A shell without job control has its background jobs ignore SIGINT.
func TestIgnoredInterruptStaysIgnored(t *testing.T) {
	signal.Ignore(syscall.SIGINT)
	defer signal.Reset(syscall.SIGINT)
	cmd := child(t, "never stop")
	start(t, cmd)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGTERM {
		t.Errorf("ended by %v, want by SIGTERM", cmd.ProcessState)
	}
}

func TestReaderOfStdoutGone(t *testing.T) {
	cmd := child(t, "chatter")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	_ = cmd.Wait()
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGPIPE {
		t.Errorf("ended by %v, want by SIGPIPE", cmd.ProcessState)
	}
}

// A log collector that died must not kill an archiver's push.
func TestReaderOfStderrGone(t *testing.T) {
	cmd := child(t, "complain")
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = errs.Close()
	_ = cmd.Wait()
	if !strings.Contains(cmd.ProcessState.String(), "exit status 3") {
		t.Errorf("ended by %v, want with code 3", cmd.ProcessState)
	}
}
