// Command standin plays the server that calls archive_command or
// restore_command for one segment after another, and prints what that cost as
// JSON. Its argument is a file with a peerbench.Job.
//
// It adopts whatever the commands leave running and waits for its end, so that
// the CPU time of work done behind a command's back is in the bill.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"walarchive/cmd/internal/peerbench"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("one argument: the job's file")
	}
	b, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(b, &j.Job); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	syscall.Sync() // what ran before is none of this job's business
	r, err := j.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

type job struct{ peerbench.Job }

func (j *job) run() (*peerbench.Result, error) {
	daemon, err := j.startDaemon()
	if err != nil {
		return nil, err
	}
	r := &peerbench.Result{}
	for _, name := range j.Segments {
		took, err := j.call(name)
		if err != nil {
			return nil, err
		}
		r.Wall += took.Seconds()
		r.Slowest = max(r.Slowest, took.Seconds())
	}
	if daemon != nil {
		if r.Daemon, err = peak(daemon.Process.Pid); err != nil {
			return nil, err
		}
		if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
			return nil, err
		}
	}
	if err := reap(); err != nil {
		return nil, err
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return nil, err
	}
	r.CPU = seconds(u.Utime) + seconds(u.Stime)
	r.Peak = u.Maxrss << 10
	return r, nil
}

func seconds(t syscall.Timeval) float64 { return float64(t.Nano()) / 1e9 }

// patience is how long a daemon may take to start, and all that a loop leaves
// running to end.
const patience = time.Minute

func (j *job) startDaemon() (*exec.Cmd, error) {
	if len(j.Daemon) == 0 {
		return nil, nil
	}
	cmd := exec.Command(j.Daemon[0], j.Daemon[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = j.Data, j.Environ, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(j.Socket); err == nil {
			return cmd, nil
		}
	}
	return nil, fmt.Errorf("%v: no %s", j.Daemon, j.Socket)
}

// call makes PostgreSQL's next call and returns how long it took.
func (j *job) call(name string) (time.Duration, error) {
	path := filepath.Join("pg_wal", name)
	if j.Restore {
		path = "pg_wal/RECOVERYXLOG"
	}
	text := strings.NewReplacer("%f", name, "%p", path).Replace(j.Command)
	cmd := exec.Command("/bin/sh", "-c", text)
	cmd.Dir, cmd.Env, cmd.Stderr = j.Data, j.Environ, os.Stderr
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", text, err)
	}
	return took, j.settle(name)
}

// settle does what PostgreSQL does after a call that succeeded. What was
// restored is kept, under its name, for whoever compares it.
func (j *job) settle(name string) error {
	wal := filepath.Join(j.Data, "pg_wal")
	if j.Restore {
		return os.Rename(filepath.Join(wal, "RECOVERYXLOG"), filepath.Join(wal, name))
	}
	status := filepath.Join(wal, "archive_status", name)
	return os.Rename(status+".ready", status+".done")
}

// peak is the most memory that a process ever held, in bytes.
func peak(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kB << 10, err
		}
	}
	return 0, errors.New("no VmHWM in /proc")
}

// reap waits for the end of every process that is left.
func reap() error {
	late := time.AfterFunc(patience, func() {
		fmt.Fprintln(os.Stderr, "standin: what the commands started does not end")
		os.Exit(1)
	})
	defer late.Stop()
	for {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		switch {
		case errors.Is(err, syscall.ECHILD):
			return nil
		case err != nil && !errors.Is(err, syscall.EINTR):
			return err
		}
	}
}
