//go:build integration

package wal_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"walarchive/archive/wal"
)

// server is a running PostgreSQL with a cluster of its own.
type server struct {
	bin, home, data string
	major           int
	as              *syscall.SysProcAttr
}

func startServer(t *testing.T, bin string, segsizeMiB int) *server {
	t.Helper()
	s := &server{bin: bin}
	s.home, s.as = serverHome(t)
	s.data = filepath.Join(s.home, "data")
	run(t, s.as, filepath.Join(bin, "initdb"), "-D", s.data, "-U", "postgres", "-N", "--no-locale", "-E", "UTF8",
		fmt.Sprintf("--wal-segsize=%d", segsizeMiB))
	conf := fmt.Sprintf(`listen_addresses = ''
unix_socket_directories = '%s'
fsync = off
timezone = UTC
wal_level = logical
wal_keep_size = 900MB
max_prepared_transactions = 4
track_commit_timestamp = on
allow_in_place_tablespaces = on
`, s.home)
	f, err := os.OpenFile(filepath.Join(s.data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(conf); err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile(filepath.Join(s.data, "PG_VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	if s.major, err = strconv.Atoi(strings.TrimSpace(string(version))); err != nil {
		t.Fatal(err)
	}
	s.ctl(t, "start")
	t.Cleanup(func() { // without the test's context, which has ended by then
		cmd := exec.Command(filepath.Join(bin, "pg_ctl"), "-D", s.data, "-w", "-s", "stop", "-m", "immediate")
		cmd.Dir, cmd.SysProcAttr = "/", s.as
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("pg_ctl stop: %v\n%s", err, out)
		}
	})
	return s
}

func (s *server) ctl(t *testing.T, args ...string) {
	t.Helper()
	run(t, s.as, filepath.Join(s.bin, "pg_ctl"), append([]string{"-D", s.data, "-w", "-s", "-l", filepath.Join(s.home, "log")}, args...)...)
}

// sql runs statements, or a file's with -f, and returns what they print.
func (s *server) sql(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(run(t, s.as, filepath.Join(s.bin, "psql"),
		append([]string{"-h", s.home, "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"}, args...)...))
}

// traffic makes WAL and returns the names and ends of restore points.
func (s *server) traffic(t *testing.T) map[string]wal.LSN {
	t.Helper()
	script, err := os.ReadFile("testdata/traffic.sql")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.home, "traffic.sql")
	if err := os.WriteFile(file, script, 0o644); err != nil {
		t.Fatal(err)
	}
	points := make(map[string]wal.LSN)
	mark := func(name string) {
		points[name] = lsn(t, s.sql(t, "-c", "SELECT pg_create_restore_point('"+name+"')"))
	}
	mark("before")
	s.sql(t, "-f", file)
	s.sql(t, "-c", "CREATE TABLESPACE inside LOCATION ''")
	run(t, s.as, filepath.Join(s.bin, "pgbench"), "-h", s.home, "-U", "postgres", "-i", "-q", "-s", "2", "postgres")
	run(t, s.as, filepath.Join(s.bin, "pgbench"), "-h", s.home, "-U", "postgres", "-c", "4", "-t", "250", "postgres")
	mark(`über "den\Rand`)
	s.sql(t, "-c", "SELECT pg_switch_wal()")
	s.sql(t, "-c", "INSERT INTO t SELECT i FROM generate_series(300000, 301000) i")
	s.ctl(t, "stop", "-m", "immediate")
	s.ctl(t, "start")
	mark("after the crash")
	return points
}

// segments closes the current segment and returns the names of all up to it.
func (s *server) segments(t *testing.T) []string {
	t.Helper()
	last := s.sql(t, "-c", "SELECT pg_walfile_name(pg_switch_wal())")
	entries, err := os.ReadDir(filepath.Join(s.data, "pg_wal"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if len(e.Name()) == 24 && e.Name() <= last {
			names = append(names, e.Name())
		}
	}
	return names
}
