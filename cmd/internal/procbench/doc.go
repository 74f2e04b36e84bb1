// Package procbench measures the programs as PostgreSQL sees them: whole
// processes, from exec to exit, beside a copy that is as durable. make bench
// runs it. Compare figures of one run only: machines differ and are shared.
package procbench
