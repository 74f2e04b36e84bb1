//go:build integration

package pgtest_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/cmd/internal/pgtest"
	"walarchive/cmd/internal/teststores"
	"walarchive/storage/storagetest/servers"
)

// TestAgentKilled kills the agent, the push that asks it, or both, at random
// moments, round after round. What was acknowledged is in the archive, and the
// next push goes on.
func TestAgentKilled(t *testing.T) {
	t.Parallel()
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		killedRounds(t, pgtest.NewArchive(t, tools))
	})
	t.Run("S3", func(t *testing.T) {
		t.Parallel()
		certificates := servers.NewCertificates(t)
		kind := teststores.Kinds()[0]
		killedRounds(t, pgtest.NewArchiveIn(t, tools, kind.Start(t, &certificates)(t)))
	})
}

const (
	rounds   = 200
	perRound = 2 // segments, so that one can be pushed ahead
)

func killedRounds(t *testing.T, a *pgtest.Archive) {
	h := newHost(t)
	a.Init(h.Server)
	r := pgtest.Restore(t, h.Postgres, h.Data)
	g := a.StartAgent(h.Server)
	usual := 40 * time.Millisecond
	var all []string
	cut, first := 0, ""
	for range rounds {
		names := h.ready(perRound)
		all = append(all, names...)
		victim := rand.N(3) // 0 the agent, 1 the push, 2 both
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if victim != 1 {
				time.Sleep(rand.N(perRound * usual))
				g.Kill()
			}
		}()
		for i, name := range names {
			if victim != 0 && i == 0 && a.Kill(rand.N(2*usual), "push", h.Segment(name)).Signal == syscall.SIGKILL {
				cut++
			}
			a.MustDo("push", h.Segment(name))
			h.archived(name)
		}
		<-ended
		if victim != 1 {
			g = a.StartAgent(h.Server)
		}
		if first == "" {
			first = names[0]
		}
	}
	g.Stop()
	t.Logf("%d pushes were killed", cut)
	if cut < rounds/20 {
		t.Errorf("only %d pushes were killed", cut)
	}
	if v := a.Do("verify", "--level", "full", "--from", first, "--to", all[len(all)-1]); v.Code != 0 {
		t.Errorf("verify: exit %d\n%s%s", v.Code, v.Stdout, v.Stderr)
	}
	for i := 0; i < len(all); i += 20 {
		wantGot(t, a, r, all[i])
		h.wantSame(r, all[i])
	}
}

// host is a data directory whose server never runs: its WAL is made here.
type host struct {
	*pgtest.Server
	t   *testing.T
	wal *waltest.Writer
	no  wal.SegmentNo
}

func newHost(t *testing.T) *host {
	t.Helper()
	s := pgtest.Init(t, pgtest.Newest(t), smallSegments)
	d, err := archive.OpenDataDir(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	const first = 100
	return &host{s, t, waltest.New(d.Identity(), 1, first<<20), first}
}

// ready writes n full segments, each with its mark.
func (h *host) ready(n int) (names []string) {
	h.t.Helper()
	for range n {
		h.wal.Fill(0)
		name := h.wal.Name(h.no).String()
		pgtest.WriteFile(h.t, h.Segment(name), string(h.wal.Segment(h.no)))
		h.wal.Forget(h.no)
		pgtest.WriteFile(h.t, h.mark(name, ".ready"), "")
		names = append(names, name)
		h.no++
	}
	return names
}

func (h *host) mark(name, suffix string) string {
	return filepath.Join(h.Data, "pg_wal/archive_status", name+suffix)
}

func (h *host) archived(name string) {
	h.t.Helper()
	if err := os.Rename(h.mark(name, ".ready"), h.mark(name, ".done")); err != nil {
		h.t.Fatal(err)
	}
}

// wantSame compares a segment with the one restored to r.
func (h *host) wantSame(r *pgtest.Server, name string) {
	h.t.Helper()
	want, err := os.ReadFile(h.Segment(name))
	if err != nil {
		h.t.Fatal(err)
	}
	if got, err := os.ReadFile(r.Segment(name)); err != nil || !bytes.Equal(got, want) {
		h.t.Errorf("%s came back otherwise: %v", name, err)
	}
}
