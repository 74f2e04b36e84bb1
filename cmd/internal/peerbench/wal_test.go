//go:build integration

package peerbench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"walarchive/cmd/internal/pgtest"
	"walarchive/crypt/tde"
)

// count is how many segments a loop has.
const count = 64

// recording is WAL of a pgbench load and what identifies its cluster.
type recording struct {
	data     string // data directory
	segments []string
	plain    *recording // of what pg_tde has encrypted; else nil
}

const segmentSize = 16 << 20

// record lets pgbench write the WAL. Checkpoints in short order make full-page
// images of most of it, as on a server whose working set is large.
func record(b *testing.B) *recording {
	b.Helper()
	s := pgtest.Init(b, pgtest.Debian(b)[0])
	for _, set := range [][2]string{
		{"shared_buffers", "512MB"}, {"max_wal_size", "16GB"}, {"wal_keep_size", "16GB"}, {"synchronous_commit", "off"},
	} {
		s.Set(set[0], set[1])
	}
	s.Start()
	pgtest.MustRun(b, "/", s.Program("pgbench"), "-i", "-q", "-s", "50", "-I", "dtGp", s.Conninfo())
	first := s.Switch()
	for len(after(s.Segments(), first)) < count+1 {
		s.Query("CHECKPOINT")
		pgtest.MustRun(b, "/", s.Program("pgbench"), "-n", "-c", "4", "-j", "2", "-T", "5", "-M", "prepared", s.Conninfo())
	}
	segments := after(s.Segments(), first)[:count]
	s.Stop()
	return &recording{data: s.Data, segments: segments}
}

// after are the names behind first; the last one is still being written.
func after(names []string, first string) []string {
	for i, n := range names {
		if n > first {
			return names[i:]
		}
	}
	return nil
}

// source makes a data directory whose segments are all ready to be archived.
func (r *recording) source(b *testing.B, dir string) string {
	b.Helper()
	data := r.skeleton(b, filepath.Join(dir, "source"))
	if r.plain != nil {
		pgtest.MustRun(b, "/", "cp", "-a", filepath.Join(r.data, string(tde.Percona)), filepath.Join(r.data, "keyring.per"), data)
	}
	pgtest.MustRun(b, "/", "mkdir", filepath.Join(data, "pg_wal/archive_status"))
	for _, name := range r.segments {
		check(b, os.Link(filepath.Join(r.data, "pg_wal", name), filepath.Join(data, "pg_wal", name)))
		pgtest.WriteFile(b, filepath.Join(data, "pg_wal/archive_status", name+".ready"), "")
	}
	return data
}

// target makes a data directory that is in recovery and has no WAL.
func (r *recording) target(b *testing.B, dir string) string {
	b.Helper()
	data := r.skeleton(b, filepath.Join(dir, "target"))
	pgtest.WriteFile(b, filepath.Join(data, "recovery.signal"), "")
	if r.plain != nil {
		r.writeKeys(b, data)
	}
	return data
}

func (r *recording) skeleton(b *testing.B, data string) string {
	b.Helper()
	pgtest.MustRun(b, "/", "mkdir", "-m", "0700", data, data+"/global", data+"/pg_wal")
	for _, f := range []string{"PG_VERSION", "global/pg_control"} {
		pgtest.MustRun(b, "/", "cp", "-p", filepath.Join(r.data, f), filepath.Join(data, f))
	}
	return data
}

// compare fails unless all segments came back as they were.
func (r *recording) compare(b *testing.B, data string) {
	b.Helper()
	if r.plain != nil {
		r.compareEncrypted(b, data)
		return
	}
	for _, name := range r.segments {
		pgtest.MustRun(b, "/", "cmp", filepath.Join(r.data, "pg_wal", name), filepath.Join(data, "pg_wal", name))
	}
}

func (r *recording) String() string {
	return fmt.Sprintf("%d segments from %s on", len(r.segments), r.segments[0])
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
