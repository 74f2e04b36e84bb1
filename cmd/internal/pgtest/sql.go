package pgtest

import (
	"fmt"
	"strings"
)

// Conninfo is how clients and standbys reach the server.
func (s *Server) Conninfo() string { return "host=" + s.socket + " user=postgres dbname=postgres" }

// Query runs SQL statements in one session, outside a transaction, and
// returns what they select: rows by line, columns separated by |.
func (s *Server) Query(statements ...string) string {
	s.t.Helper()
	args := []string{"-XAtq", "-v", "ON_ERROR_STOP=1", "-d", s.Conninfo()}
	for _, sql := range statements {
		args = append(args, "-c", sql)
	}
	return strings.TrimSuffix(MustRun(s.t, "/", s.Program("psql"), args...), "\n")
}

// LSN is behind every commit of a server in production. Records that no commit
// waits for, as those of Archive's switch, may already follow; standbys get
// them seconds later.
func (s *Server) LSN() string { s.t.Helper(); return s.Query("SELECT pg_current_wal_flush_lsn()") }

// InsertLSN is where the next record will begin, or the page before it.
func (s *Server) InsertLSN() string {
	s.t.Helper()
	return s.Query("SELECT pg_current_wal_insert_lsn()")
}

// CurrentSegment writes a record and names the WAL segment it went to.
func (s *Server) CurrentSegment() string {
	s.t.Helper()
	return s.Query("SELECT pg_walfile_name(pg_logical_emit_message(false, 'pgtest', ''))")
}

// Switch ends the current WAL segment, in which there is at least one record,
// and returns its name.
func (s *Server) Switch() string {
	s.t.Helper()
	name := s.CurrentSegment()
	s.Query("SELECT pg_switch_wal()")
	return name
}

// Archive ends the current WAL segment, waits until it is archived, and
// returns its name.
func (s *Server) Archive() string {
	s.t.Helper()
	name := s.Switch()
	s.WaitArchived(name)
	return name
}

// FailedPushes is how often archive_command has failed.
func (s *Server) FailedPushes() string {
	s.t.Helper()
	return s.Query("SELECT failed_count FROM pg_stat_archiver")
}

// Note commits a row that says text; Notes lists what was said, in order.
func (s *Server) Note(text string) {
	s.t.Helper()
	s.Query("CREATE TABLE IF NOT EXISTS note (id serial, said text)",
		fmt.Sprintf("INSERT INTO note (said) VALUES ('%s')", text))
}

// Notes lists all texts of Note that the server knows, separated by spaces.
func (s *Server) Notes() string {
	s.t.Helper()
	return s.Query("SELECT string_agg(said, ' ' ORDER BY id) FROM note")
}
