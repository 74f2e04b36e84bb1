package walarchive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// server is a running server, asked through psql.
type server struct {
	psql       string   // path
	environ    []string // of psql: NAME=value
	host, port string
}

// newServer is the server that a postmaster.pid tells of.
func newServer(pid string, major int, environ []string) (*server, error) {
	s := parsePID(pid)
	if s == nil {
		return nil, errors.New("postmaster.pid is not complete: the server is starting")
	}
	s.environ = environ
	var err error
	s.psql, err = findPSQL(major)
	return s, err
}

// parsePID reads how a server is reached: the port is in line 4, the directory
// of the unix socket in line 5, the first address listened on in line 6
// (PostgreSQL: LOCK_FILE_LINE_PORT and those behind it). Without these lines
// it is nil.
func parsePID(pid string) *server {
	lines := strings.Split(pid, "\n")
	if len(lines) < 6 {
		return nil
	}
	s := &server{port: strings.TrimSpace(lines[3]), host: strings.TrimSpace(lines[4])}
	if s.host == "" {
		s.host = strings.TrimSpace(lines[5])
	}
	if s.host == "" || s.host == "*" {
		s.host = "localhost"
	}
	return s
}

func (s *server) String() string { return s.host + ", port " + s.port }

// findPSQL looks in PATH and then where packages put the programs of a major
// version. What the data directory says of its server is no guide: whoever can
// write there must not choose what another account runs.
func findPSQL(major int) (string, error) {
	if path, err := exec.LookPath("psql"); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/lib/postgresql/%d/bin", "/usr/pgsql-%d/bin"} {
		path := filepath.Join(fmt.Sprintf(dir, major), "psql")
		if isProgram(path) {
			return path, nil
		}
	}
	return "", errors.New("there is no psql in PATH, nor where packages put it")
}

// ask runs a query that selects one JSON value.
func (s *server) ask(ctx context.Context, query string, to any) error {
	out, err := s.query(ctx, query)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), to)
}

// switchWAL ends the current segment, in which there is at least one record
// then, and returns its name. The last byte of that record says which it is.
func (s *server) switchWAL(ctx context.Context) (string, error) {
	name, err := s.query(ctx, "SELECT pg_walfile_name(pg_logical_emit_message(false, 'walarchive', 'check') - 1)")
	if err != nil {
		return "", err
	}
	_, err = s.query(ctx, "SELECT pg_switch_wal()")
	return name, err
}

// psqlTimeout bounds a query.
const psqlTimeout = 15 * time.Second

// query runs a statement and returns what it selects. Who asks, and other
// things of the kind, the environment says to psql as ever.
func (s *server) query(ctx context.Context, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, psqlTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.psql, "-AtXwq", "-v", "ON_ERROR_STOP=1", "-h", s.host, "-p", s.port, "-d", "postgres", "-c", sql)
	cmd.Env = slices.Concat(s.environ, []string{"PGCONNECT_TIMEOUT=" + strconv.Itoa(int(psqlTimeout.Seconds()))})
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	if err := cmd.Run(); err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" {
			return "", errors.New(strings.ReplaceAll(said, "\n", "; "))
		}
		return "", fmt.Errorf("psql: %w", err)
	}
	return strings.TrimSpace(stdout.String()), nil
}
