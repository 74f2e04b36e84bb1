package pgtest

import (
	"fmt"
	"strings"
	"syscall"
)

// Load is a pgbench that runs until it is stopped.
type Load struct{ bench *process }

// Fill makes pgbench's tables, scale 1: 100,000 accounts, some 15 MiB of WAL.
func (s *Server) Fill() {
	s.t.Helper()
	MustRun(s.t, "/", s.Program("pgbench"), "-i", "-q", "-s", "1", "-I", "dtGp", s.Conninfo())
}

// Noise writes n KiB of WAL that no compression makes smaller.
func (s *Server) Noise(n int) {
	s.t.Helper()
	s.Query(fmt.Sprintf(`SELECT pg_logical_emit_message(false, '', string_agg(uuid_send(gen_random_uuid()), ''))
		FROM generate_series(1, %d)`, n<<10/16))
}

// StartLoad runs pgbench's TPC-B transactions from two clients at a rate
// (per second) that leaves the machine room for others.
func (s *Server) StartLoad(rate int) *Load {
	s.t.Helper()
	cmd := command(s.t, "/", s.Program("pgbench"), "-n", "-c", "2", "-T", "600", "-R", fmt.Sprint(rate), s.Conninfo())
	l := &Load{begin(s.t, cmd)}
	s.t.Cleanup(l.Stop)
	return l
}

// WaitWork waits until the load has changed the tables once more.
func (s *Server) WaitWork() {
	s.t.Helper()
	before := s.State()
	Until(s.t, func() bool { return s.State() != before }, "the load changed the tables")
}

// Stop ends the load; one that has ended already is fine.
func (l *Load) Stop() {
	l.bench.signal(syscall.SIGINT)
	<-l.bench.ended
}

// Mark is a moment in the life of a server under load: how PostgreSQL can be
// told to recover to it, and what the tables held.
type Mark struct {
	Name  string // restore point
	LSN   string
	Time  string
	State string // see State
}

// Mark waits for the running transactions, holds up new ones while it looks,
// and creates a restore point. All that had committed before are in State and
// come before LSN and Time, all others after.
func (s *Server) Mark(name string) Mark {
	s.t.Helper()
	out := s.Query(
		"BEGIN",
		"LOCK TABLE pgbench_accounts, pgbench_tellers, pgbench_branches, pgbench_history IN EXCLUSIVE MODE",
		stateQuery,
		fmt.Sprintf("SELECT pg_create_restore_point('%s')", name),
		"SELECT clock_timestamp()",
		"COMMIT")
	lines := strings.Split(out, "\n")
	n := len(lines) - 2
	return Mark{Name: name, LSN: lines[n], Time: lines[n+1], State: strings.Join(lines[:n], "\n")}
}

// State sums up pgbench's tables: rows, and a checksum over their content
// that does not depend on their order.
func (s *Server) State() string { s.t.Helper(); return s.Query(stateQuery) }

const stateQuery = `
SELECT 'accounts', count(*), sum(hashtextextended(r::text, 0)::numeric) FROM pgbench_accounts r UNION ALL
SELECT 'tellers', count(*), sum(hashtextextended(r::text, 0)::numeric) FROM pgbench_tellers r UNION ALL
SELECT 'branches', count(*), sum(hashtextextended(r::text, 0)::numeric) FROM pgbench_branches r UNION ALL
SELECT 'history', count(*), sum(hashtextextended(r::text, 0)::numeric) FROM pgbench_history r`
