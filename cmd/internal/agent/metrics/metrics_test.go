package metrics

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/cmd/internal/agent"
	"walarchive/storage"
)

const segment = "000000020000000100000003"

// filled is the status of an agent to which all has happened that can.
func filled() *agent.Status {
	l := &queue.Ledger{SegmentSize: 16 << 20, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	path := func(name string) queue.File { return queue.File{Path: "/pgdata/pg_wal/" + name} }
	for _, f := range []queue.Finished{
		{File: path(segment), Pushed: &archive.Pushed{Plain: 16 << 20, Sealed: 3 << 20}, Ahead: true, Took: 20 * time.Millisecond},
		{File: path("000000020000000100000002"), Pushed: &archive.Pushed{Already: true}},
		{File: path("000000020000000100000004"), Err: fmt.Errorf("put: %w", storage.ErrUnavailable)},
		{File: path("000000020000000100000005"), Err: errors.New("something else")},
	} {
		l.Pushed(f)
	}
	for _, d := range []queue.Delivery{
		{Name: segment, Got: &archive.Got{Plain: 16 << 20}, Took: 10 * time.Millisecond},
		{Name: segment, Err: archive.ErrEnd},
		{Name: segment, Err: archive.ErrDamaged},
	} {
		l.Got(d)
	}
	for _, e := range []queue.PrefetchEvent{queue.PrefetchHit, queue.PrefetchHit, queue.PrefetchJoined, queue.PrefetchMiss} {
		l.Fetched(e)
	}
	l.Retried()
	s := &agent.Status{
		Version: "1.0", Counts: l.Counts(), Backlog: &queue.Backlog{Files: 3, Bytes: 32 << 20, Seconds: 90}, Memory: 4096,
		Keys: []agent.KeyService{
			{Provider: "vault", Ends: []agent.Ending{{What: "token", Time: time.Unix(1_900_000_000, 0)}, {What: "client certificate", Time: time.Unix(1_850_000_000, 0)}}},
			{Provider: "hsm", Error: "connection refused"},
		},
	}
	s.Last, s.Trouble = l.State()
	return s
}

// What is exposed keeps Prometheus' rules for names, units and help.
func TestMetricsAreWellFormed(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(filled))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "walarchive_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestMetrics(t *testing.T) {
	text := exposed(t)
	for _, want := range []string{
		"walarchive_backlog_files 3",
		"walarchive_backlog_seconds 90",
		`walarchive_push_duration_seconds_bucket{le="0.02"} 4`,
		`walarchive_restore_duration_seconds_bucket{le="0.005"} 0`,
		`walarchive_prefetch_bytes{place="memory"} 4096`,
		"walarchive_backlog_bytes 3.3554432e+07",
		`walarchive_last_archived_lsn_bytes{timeline="00000002"} 4.36207616e+09`,
		`walarchive_last_archived_timestamp_seconds{timeline="00000002"} 1.8e+09`,
		"walarchive_archived_files_total 1",
		"walarchive_archived_ahead_files_total 1",
		"walarchive_archived_already_files_total 1",
		"walarchive_archived_bytes_total 1.6777216e+07",
		"walarchive_archived_stored_bytes_total 3.145728e+06",
		"walarchive_store_retries_total 1",
		`walarchive_push_failures_total{kind="storage_unavailable"} 1`,
		`walarchive_push_failures_total{kind="other"} 1`,
		"walarchive_push_duration_seconds_count 4",
		"walarchive_restored_files_total 1",
		"walarchive_absent_files_total 1",
		`walarchive_restore_failures_total{kind="archive_damaged"} 1`,
		"walarchive_restore_duration_seconds_count 1",
		`walarchive_prefetch_total{result="hit"} 2`,
		`walarchive_key_service_up{provider="vault"} 1`,
		`walarchive_key_service_up{provider="hsm"} 0`,
		`walarchive_credential_end_timestamp_seconds{provider="vault"} 1.85e+09`,
		"process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no line %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// exposed is the page that Prometheus reads.
func exposed(t *testing.T) string {
	t.Helper()
	at, stop := Serve("127.0.0.1:0", filled, slog.New(slog.DiscardHandler))
	defer stop()
	r, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", r.Status, err)
	}
	return string(b)
}

// docs/agent.md lists what there is, and nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := registry(filled).Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		if name := f.GetName(); strings.HasPrefix(name, "walarchive_") {
			names[name] = true
			if !strings.Contains(string(page), name+"`") {
				t.Errorf("%s is not documented", name)
			}
		}
	}
	for _, name := range regexp.MustCompile(`walarchive_[a-z_]+`).FindAllString(string(page), -1) {
		if !names[name] {
			t.Errorf("%s is documented and does not exist", name)
		}
	}
}
