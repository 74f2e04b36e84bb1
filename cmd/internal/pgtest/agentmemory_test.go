//go:build integration

package pgtest_test

import (
	"fmt"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// agentLimit is what docs/agent.md promises for agent.memory = 64: MiB.
const agentLimit = 32 + 64

// TestAgentMemory: the agent stays within its bounds, with two workers on
// segments that do not compress, and with segments too large for memory.
func TestAgentMemory(t *testing.T) {
	for _, tt := range []struct{ segment, switches int }{{16, 8}, {64, 2}, {1024, 1}} {
		t.Run(fmt.Sprintf("segments of %d MiB", tt.segment), func(t *testing.T) {
			s, a := archivedSlowly(t, tt.segment)
			g := a.StartAgent(s)
			s.Archive()
			s.Set("archive_command", "") // so that there is much to do at once
			s.Reload()
			last := ""
			for range tt.switches {
				s.Noise(min(tt.segment, 100) * 1000)
				last = s.Switch()
			}
			s.Set("archive_command", a.PushCommand())
			s.Reload()
			s.WaitArchived(last)
			peak := g.PeakMemory()
			t.Logf("the agent took %d MiB", peak>>20)
			if peak > agentLimit<<20 {
				t.Errorf("the agent took %d MiB, want at most %d", peak>>20, agentLimit)
			}
			wantNoFailedPushes(t, s)
		})
	}
}

func archivedSlowly(t *testing.T, segment int) (*pgtest.Server, *pgtest.Archive) {
	t.Helper()
	s := pgtest.Init(t, pgtest.Newest(t), fmt.Sprintf("--wal-segsize=%d", segment))
	s.Set("min_wal_size", fmt.Sprintf("%dMB", max(80, 2*segment)))
	s.Set("max_wal_size", "8GB")
	a := pgtest.NewArchive(t, tools)
	a.Init(s)
	a.ArchiveFrom(s)
	s.Start()
	return s, a
}
