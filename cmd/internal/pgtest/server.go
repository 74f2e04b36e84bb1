package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is one data directory and, between Launch and its end, the postmaster
// that runs on it. It belongs to one test.
type Server struct {
	Postgres
	Data string // PGDATA, absolute

	t      testing.TB
	socket string // directory of the unix socket
	log    string // file with all the server ever wrote
	main   *process
}

// settings make servers quick and quiet: they need not survive a power cut,
// and nothing writes WAL by itself while a scenario counts bytes. Segments are
// kept so that they can be compared with what comes back from the archive.
var settings = [][2]string{
	{"fsync", "off"},
	{"shared_buffers", "16MB"},
	{"autovacuum", "off"},
	{"checkpoint_timeout", "1h"},
	{"max_wal_size", "2GB"},
	{"wal_keep_size", "1GB"},
	{"wal_level", "replica"},
	{"wal_retrieve_retry_interval", "100ms"},
	{"listen_addresses", ""},
	{"log_line_prefix", "%m %b: "},
}

// Init makes a cluster. Arguments go to initdb: --wal-segsize=1 (MiB).
func Init(t testing.TB, p Postgres, args ...string) *Server {
	t.Helper()
	s := newServer(t, p)
	args = append(args, "-D", s.Data, "-U", "postgres", "-A", "trust", "-k", "-E", "UTF8", "--locale=C", "--no-sync")
	MustRun(t, "/", p.Program("initdb"), args...)
	for _, set := range settings {
		s.Set(set[0], set[1])
	}
	return s
}

// Restore makes a server from a base backup, which stays as it is. Whatever
// the source did, it does not archive.
func Restore(t testing.TB, p Postgres, backup string) *Server {
	t.Helper()
	s := newServer(t, p)
	MustRun(t, "/", "cp", "-a", backup, s.Data)
	s.Set("archive_mode", "off")
	return s
}

func newServer(t testing.TB, p Postgres) *Server {
	t.Helper()
	dir := Scratch(t)
	s := &Server{Postgres: p, t: t, Data: filepath.Join(dir, "data"), socket: dir, log: filepath.Join(dir, "log")}
	t.Cleanup(s.cleanUp)
	return s
}

// Set appends a setting to postgresql.conf; of several the last one counts.
func (s *Server) Set(name, value string) {
	s.t.Helper()
	conf, err := os.OpenFile(filepath.Join(s.Data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conf.Close()
	if _, err := fmt.Fprintf(conf, "%s = '%s'\n", name, strings.ReplaceAll(value, "'", "''")); err != nil {
		s.t.Fatal(err)
	}
}

// Recover asks for archive recovery at the next start (recovery.signal).
func (s *Server) Recover() { WriteFile(s.t, filepath.Join(s.Data, "recovery.signal"), "") }

// Follow asks for standby mode at the next start (standby.signal).
func (s *Server) Follow() { WriteFile(s.t, filepath.Join(s.Data, "standby.signal"), "") }

// Launch starts the postmaster and does not wait for it.
func (s *Server) Launch() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd := command(s.t, "/", s.Program("postgres"), "-D", s.Data, "-k", s.socket)
	cmd.Stdout, cmd.Stderr = log, log
	s.main = begin(s.t, cmd)
}

// Start is Launch and WaitUp.
func (s *Server) Start() { s.t.Helper(); s.Launch(); s.WaitUp() }

// WaitUp waits until the server takes connections, which in recovery is when
// it has become consistent.
func (s *Server) WaitUp() {
	s.t.Helper()
	Until(s.t, func() bool {
		if !s.main.running() {
			s.t.Fatal("the server ended while it started")
		}
		return s.ready()
	}, "the server was ready")
}

// ready reads the status that the postmaster keeps in the eighth line of
// postmaster.pid (PostgreSQL: LOCK_FILE_LINE_PM_STATUS).
func (s *Server) ready() bool {
	b, err := os.ReadFile(filepath.Join(s.Data, "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	return err == nil && len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
}

// WaitEnd waits until the server has ended by itself.
func (s *Server) WaitEnd() {
	s.t.Helper()
	if !s.main.endsWithin(patience) {
		s.t.Fatal("the server did not end")
	}
}

// Running reports whether the postmaster runs.
func (s *Server) Running() bool { return s.main != nil && s.main.running() }

// Stop is pg_ctl stop -m fast; it returns how long that took.
func (s *Server) Stop() time.Duration { s.t.Helper(); return s.end("fast") }

// Crash is pg_ctl stop -m immediate: the next start recovers.
func (s *Server) Crash() { s.t.Helper(); s.end("immediate") }

func (s *Server) end(mode string) time.Duration {
	s.t.Helper()
	begin := time.Now()
	MustRun(s.t, "/", s.Program("pg_ctl"), "stop", "-D", s.Data, "-m", mode, "-w", "-t", "30")
	took := time.Since(begin)
	s.WaitEnd()
	return took
}

// Reload makes the server read postgresql.conf again, which also wakes its
// archiver.
func (s *Server) Reload() { s.t.Helper(); s.Query("SELECT pg_reload_conf()") }

// Promote ends recovery or standby mode; it returns how long that took.
func (s *Server) Promote() time.Duration {
	s.t.Helper()
	begin := time.Now()
	s.Query("SELECT pg_promote(true, 45)")
	s.WaitPromoted()
	return time.Since(begin)
}

// Log is all the server ever wrote.
func (s *Server) Log() string {
	s.t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// Logged reports whether the log holds text.
func (s *Server) Logged(text string) bool { s.t.Helper(); return strings.Contains(s.Log(), text) }

// cleanUp ends what runs. SIGQUIT makes the postmaster end its children and
// theirs, each of which leads a process group.
func (s *Server) cleanUp() {
	if s.Running() {
		s.main.signal(syscall.SIGQUIT)
		if !s.main.endsWithin(10 * time.Second) {
			s.main.kill()
			<-s.main.ended
		}
	}
	if s.t.Failed() && exists(s.log) {
		tail, _ := exec.Command("tail", "-n", "25", s.log).CombinedOutput()
		s.t.Logf("log of %s:\n%s", s.Data, tail)
	}
}
