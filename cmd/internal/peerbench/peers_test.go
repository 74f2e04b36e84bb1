//go:build integration

package peerbench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// BenchmarkPeers runs every system in turn, once a round on each store; with
// -benchtime 5x that are five rounds. It ends with a table.
func BenchmarkPeers(b *testing.B) {
	dir := pgtest.Scratch(b)
	check(b, pgtest.GoBuild(dir, "walarchive/cmd/internal/peerbench/standin"))
	bench := &bench{standin: filepath.Join(dir, "standin"), wal: record(b), table: table{}}
	bench.encrypted = bench.wal.encrypted(b)
	stores := map[string]*s3{"directory": nil, "S3": newS3(b)}
	all := systems(b)
	for b.Loop() {
		for _, s := range all {
			for _, store := range []string{"directory", "S3"} {
				bench.run(b, s, store, stores[store])
			}
		}
	}
	fmt.Printf("%v\n%s", bench.wal, bench.table) // a benchmark's own log is cut off
}

type bench struct {
	standin string
	wal     *recording
	table   table

	encrypted *recording // the same WAL
}

// run pushes all segments with a system and restores them.
func (x *bench) run(b *testing.B, s system, store string, on *s3) {
	b.Helper()
	dir := pgtest.Scratch(b)
	defer pgtest.MustRun(b, "/", "find", dir, "-mindepth", "1", "-delete") // a round leaves gigabytes
	wal := x.wal
	if s.tde {
		wal = x.encrypted
	}
	source, target := wal.source(b, dir), wal.target(b, dir)
	own := filepath.Join(dir, "archiver")
	pgtest.MustRun(b, "/", "mkdir", own)
	c := s.open(b, place{own, on}, source, target)
	j := Job{Command: c.push, Data: source, Segments: wal.segments, Daemon: c.daemon, Socket: c.socket, Environ: c.environ}
	x.table.add(row{store, s.name, "push"}, x.play(b, dir, j))
	j.Restore, j.Command, j.Data = true, c.restore, target
	x.table.add(row{store, s.name, "restore"}, x.play(b, dir, j))
	wal.compare(b, target)
}

// play has the program standin run a job.
func (x *bench) play(b *testing.B, dir string, j Job) Result {
	b.Helper()
	text, err := json.Marshal(j)
	check(b, err)
	file := filepath.Join(dir, "job.json")
	_ = os.Remove(file) // of the job before
	pgtest.WriteFile(b, file, string(text))
	var r Result
	check(b, json.Unmarshal([]byte(pgtest.MustRun(b, "/", x.standin, file)), &r))
	return r
}
