//go:build integration

package pgtest_test

import (
	"testing"
	"time"

	"walarchive/cmd/internal/pgtest"
	"walarchive/cmd/internal/teststores"
)

// TestGiantSegment archives and gets a segment of PostgreSQL's largest size,
// which no program holds in memory, on a directory and one store of each
// protocol. More of it than goes into one request cannot be compressed.
func TestGiantSegment(t *testing.T) {
	t.Parallel()
	s := pgtest.Init(t, pgtest.Newest(t), "--wal-segsize=1024")
	s.Start()
	for range 5 {
		s.Noise(16 << 10)
	}
	name := s.Switch()
	s.Stop()
	t.Run("directory", func(t *testing.T) {
		giantSegment(t, pgtest.NewArchive(t, tools), s, name, 100<<20)
	})
	for _, kind := range teststores.Kinds() {
		if kind.Again {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			newStore := kind.Start(t, nil)
			giantSegment(t, pgtest.NewArchiveIn(t, tools, newStore(t)), s, name, 200<<20)
		})
	}
}

// giantSegment pushes and gets a segment with four workers, in memory bytes at
// most.
func giantSegment(t *testing.T, a *pgtest.Archive, s *pgtest.Server, name string, memory int64) {
	c := a.Config
	c.Store = c.Store.With("archive.workers", 4)
	c.PushTimeout = "10m"
	a = a.With(c)
	a.Init(s)
	within := func(program string, args ...string) {
		t.Helper()
		r, peak := a.Measured(program, args...)
		t.Logf("%s: %v, %d MiB", args[0], r.Took, peak>>20)
		if r.Code != 0 || peak > memory || peak == 0 {
			t.Fatalf("%s: exit %d, %d MiB of memory, want at most %d\n%s", args[0], r.Code, peak>>20, memory>>20, r.Stderr)
		}
	}
	a.Kill(time.Second, "push", s.Segment(name)) // in the middle of it, or nearly so
	got := s.Segment("RECOVERYXLOG")
	within(a.Walarchive, "push", s.Segment(name))
	within(a.Walrestore, "get", name, got)
	pgtest.MustRun(t, "/", "cmp", got, s.Segment(name))
}
