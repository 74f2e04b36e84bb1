package walarchive

import (
	"strings"
	"testing"
	"time"

	"walarchive/archive/queue"
	"walarchive/cmd/internal/agent"
)

func TestPrintStatus(t *testing.T) {
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	s := &agent.Status{
		Version: "1.0", PID: 42, Since: now.Add(-time.Hour), DataDir: "/srv/pg",
		Backlog: &queue.Backlog{Files: 3, Bytes: 32 << 20, Seconds: 90, First: "00000002.history"},
		Last:    &queue.Last{File: "000000010000000000000007", LSN: "0/8000000", Time: now.Add(-2 * time.Minute)},
		Trouble: &queue.Trouble{File: "000000010000000000000008", Kind: "storage_unavailable", Text: "put: no answer", Time: now.Add(-time.Minute)},
		Counts: queue.Counts{
			Archived: 7, Ahead: 5, Already: 1, Plain: 112 << 20, Stored: 20 << 20, Retries: 4,
			Restored: 2, RestoredBytes: 32 << 20, Absent: 1, Hits: 1, Joined: 1,
			PushFailures: map[string]uint64{"storage_unavailable": 2, "archive_conflict": 1},
		},
		Memory: 3 << 20,
		Keys:   []agent.KeyService{{Provider: "vault", Ends: []agent.Ending{{What: "token", Time: now.Add(24 * time.Hour)}}}, {Provider: "hsm", Error: "refused"}},
	}
	var got strings.Builder
	if err := printStatus(&got, s, now); err != nil {
		t.Fatal(err)
	}
	const want = `agent      version 1.0, process 42, for 1h0m0s, of /srv/pg
backlog    3 files, 32.0 MiB, 1m30s
archived   000000010000000000000007 up to 0/8000000, 2m0s ago
TROUBLE    000000010000000000000008, 1m0s ago: put: no answer
pushed     7 files, 5 of them ahead, 1 were there; 112.0 MiB as 20.0 MiB
restored   2 files, 32.0 MiB; 1 asked for behind the end
prefetch   1 at hand, 1 on their way, 0 not; holds 3.0 MiB in memory, 0.0 MiB in the spool
failures   push: 1 archive_conflict, 2 storage_unavailable; restore: none; calls of the store repeated: 4
keys       vault: well
           token ends 2026-11-23T06:00:00Z
keys       hsm: refused
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
