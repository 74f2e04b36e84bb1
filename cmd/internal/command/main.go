package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// grace is how long a program has to stop after a signal: PostgreSQL and
// Patroni wait for it, and the promise is one second.
const grace = 900 * time.Millisecond

// Process is what a program may touch of the process it runs in. Standard input
// is read only by commands that are asked to.
type Process struct {
	Args    []string // without the program's own name
	Environ []string // NAME=value
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	// Linger gives the program longer than a second to stop after a signal.
	// Only for one that PostgreSQL does not wait for.
	Linger func(time.Duration)
}

// Run is a whole program: it does what the arguments say and returns the exit
// code. It stops soon after ctx ends and leaves nothing half done.
type Run func(ctx context.Context, p Process) int

// SignalError is the cause of a context that Main ended.
type SignalError struct{ Signal syscall.Signal }

func (e *SignalError) Error() string { return fmt.Sprintf("stopped by signal: %v", e.Signal) }

// Main runs a program as this process and ends it; it does not return.
//
// SIGTERM and SIGINT end the program's context, and within a second the
// process dies by that same signal: PostgreSQL takes the death of a
// restore_command by SIGTERM for its own shutdown, and a code instead for an
// answer. SIGQUIT, which Go answers with a traceback, kills at once. Standard
// error may be closed at any time without harm to the program. The process
// leaves no core file, for it holds keys.
func Main(run Run) {
	forbidCore()
	setDefault(syscall.SIGQUIT)
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stopSignals()...)

	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan int, 1)
	var patience atomic.Int64
	patience.Store(int64(grace))
	go func() {
		done <- run(ctx, Process{
			Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: output{os.Stdout}, Stderr: os.Stderr,
			Linger: func(d time.Duration) { patience.Store(int64(d)) },
		})
	}()
	select {
	case code := <-done:
		os.Exit(code)
	case s := <-signals:
		sig := s.(syscall.Signal)
		cancel(&SignalError{sig})
		select {
		case <-done:
		case <-signals: // whoever sends another does not want to wait
		case <-time.After(time.Duration(patience.Load())):
		}
		dieBy(sig)
	}
}

// stopSignals are the signals that end a program in order. A caller that had
// SIGINT ignored, as a shell does for background jobs, keeps it so.
func stopSignals() []os.Signal {
	if signal.Ignored(syscall.SIGINT) {
		return []os.Signal{syscall.SIGTERM}
	}
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT}
}

// output is standard output: when its reader has gone, as in "| head", the
// process ends by SIGPIPE as other tools do.
type output struct{ f *os.File }

func (o output) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		dieBy(syscall.SIGPIPE)
	}
	return n, err
}
