package pgtest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// BaseBackup takes a base backup without WAL: all of that comes from the
// archive. It returns the directory.
func (s *Server) BaseBackup() string {
	s.t.Helper()
	dir := filepath.Join(Scratch(s.t), "backup")
	if s.Has("pg_basebackup") {
		s.streamBackup(dir)
	} else {
		s.copyBackup(dir)
	}
	return dir
}

func (s *Server) streamBackup(dir string) {
	s.t.Helper()
	MustRun(s.t, "/", s.Program("pg_basebackup"), "-d", s.Conninfo(), "-D", dir, "-X", "none", "-c", "fast", "--no-sync")
}

// copyBackup is what pg_backup_start is for: a copy of the data directory made
// by others. Files that go away meanwhile are none of its business.
func (s *Server) copyBackup(dir string) {
	s.t.Helper()
	script := filepath.Join(Scratch(s.t), "backup.sql")
	WriteFile(s.t, script, fmt.Sprintf(`
SELECT pg_backup_start('pgtest', true) \g /dev/null
\! cp -a %[1]s %[2]s
\! rm -rf %[2]s/postmaster.* %[2]s/pg_wal/0* %[2]s/pg_wal/archive_status/*
\o %[2]s/backup_label
SELECT rtrim(labelfile, E'\n') FROM pg_backup_stop(true);
`, s.Data, dir))
	MustRun(s.t, "/", s.Program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", s.Conninfo(), "-f", script)
}

// Standby makes a standby of s from a fresh base backup; once started it
// streams from s, beginning with the WAL of the backup.
func (s *Server) Standby() *Server {
	s.t.Helper()
	r := Restore(s.t, s.Postgres, s.BaseBackup())
	r.Set("primary_conninfo", s.Conninfo())
	r.Follow()
	return r
}

// Control is one line of pg_controldata, such as "Database system identifier".
func (s *Server) Control(label string) string {
	s.t.Helper()
	out := MustRun(s.t, "/", s.Program("pg_controldata"), s.Data)
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == label {
			return strings.TrimSpace(value)
		}
	}
	s.t.Fatalf("pg_controldata has no line %q:\n%s", label, out)
	return ""
}

// WALDump is what pg_waldump prints of the segments in dir, from one name to
// another.
func (s *Server) WALDump(dir, from, to string) string {
	s.t.Helper()
	out := MustRun(s.t, "/", s.Program("pg_waldump"), "-p", dir, from, to)
	if out == "" {
		s.t.Fatalf("pg_waldump found nothing in %s to %s", from, to)
	}
	return out
}

// Segment is the path of a WAL file in the server's pg_wal.
func (s *Server) Segment(name string) string { return filepath.Join(s.Data, "pg_wal", name) }

// Segments lists the complete segments in the server's pg_wal, in order.
func (s *Server) Segments() []string {
	s.t.Helper()
	found, err := filepath.Glob(s.Segment(strings.Repeat("[0-9A-F]", 24)))
	if err != nil || len(found) == 0 {
		s.t.Fatalf("no segments in %s: %v", s.Data, err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// Partial is the name of the unfinished segment of the timeline that a
// promotion ended.
func (s *Server) Partial() string {
	s.t.Helper()
	found, err := filepath.Glob(s.Segment("*.partial"))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("want one partial segment, got %q %v", found, err)
	}
	return filepath.Base(found[0])
}
