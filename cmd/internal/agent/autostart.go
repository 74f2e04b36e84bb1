package agent

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"walarchive/archive"
	"walarchive/cmd/internal/session"
)

const (
	// startPause keeps an agent that cannot live from being started by every push.
	startPause = 10 * time.Second
	// maxLog is from which size on the log of an autostarted agent is begun anew.
	maxLog = 1 << 20 // bytes
)

// start starts an agent behind the one socket of d's server, which goes on
// when this process has ended. It does not wait for it: this call does its
// work alone.
func start(s *session.Session, d *archive.DataDir, socket string) error {
	n := note(socket + ".start")
	if adopter, ok := adoptedByPostmaster(1, d.Path); ok {
		if n.about(adopter) {
			return nil // it has been said
		}
		s.Log.Warn("no agent is started: process 1 is PostgreSQL's, which would adopt it and restart all sessions if it died; working alone")
		return n.write(socket, adopter)
	}
	if n.about(n.adopter()) || n.younger(startPause) {
		return nil
	}
	if err := n.write(socket, ""); err != nil {
		return err
	}
	cmd, err := agentProcess(s, d, socket)
	if err != nil {
		return err
	}
	defer cmd.Stderr.(*os.File).Close()
	if err := closeOnExec(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// agentProcess is the agent in a session of its own, with its log for stdio.
func agentProcess(s *session.Session, d *archive.DataDir, socket string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"agent", "--autostarted-by", strconv.Itoa(os.Getpid()), "--set", "cluster.pgdata=" + d.Path}
	if file := s.Config.File(); file != "" {
		if file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		args = append(args, "--config", file)
	}
	for _, set := range s.Said.Set {
		if !strings.HasPrefix(set, "cluster.pgdata=") {
			args = append(args, "--set", set)
		}
	}
	log, err := openLog(socket + ".log")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Env = "/", ownEnviron(s.Environ)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, nil
}

// ownEnviron leaves out what a service manager told the server: the agent is
// not the server.
func ownEnviron(environ []string) []string {
	others := []string{"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "PWD="}
	return slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		return slices.ContainsFunc(others, func(name string) bool { return strings.HasPrefix(e, name) })
	})
}

func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
}

// closeOnExec keeps descriptors that this process inherited, from the server
// or a shell, from being inherited on.
func closeOnExec() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// note is a file beside the socket: when an agent was started last, and, in
// its text, which postmaster would have adopted it.
type note string

func (n note) adopter() string {
	b, err := os.ReadFile(string(n))
	if err != nil {
		return ""
	}
	return string(b)
}

// about reports whether the note names that adopter, and it still lives.
func (n note) about(adopter string) bool {
	pid, _, _ := strings.Cut(adopter, " ")
	id, err := strconv.Atoi(pid)
	return err == nil && n.adopter() == adopter && processName(id) == adopter
}

func (n note) younger(than time.Duration) bool {
	info, err := os.Stat(string(n))
	return err == nil && time.Since(info.ModTime()) < than
}

func (n note) write(socket, adopter string) error {
	dir := filepath.Dir(socket)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.WriteFile(string(n), []byte(adopter), 0o600)
}
