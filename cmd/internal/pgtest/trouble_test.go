//go:build integration

package pgtest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"walarchive/cmd/internal/pgtest"
	"walarchive/storage/storagetest/servers"
)

// troubles are what a store and the network before it can suffer from.
var troubles = []struct {
	name       string
	begin      func(t *testing.T, server string) (base string)
	push, gets bool // what it keeps from success
}{
	{"refused", through(servers.Refused), true, true},
	{"reset", through(servers.Reset), true, true},
	{"mute", through(servers.Mute), true, true},
	{"deaf", through(servers.Deaf), true, true},
	{"half an answer", through(servers.CutAnswers(20_000)), false, true},
	{"half a request", through(servers.CutRequests(20_000)), true, false},
	{"too slow", through(servers.Slow(1), servers.SlowUp(1)), true, true},
	{"overloaded", overloaded, true, true},
}

// through gives the address of a broken network that leads to a server.
func through(toxics ...servers.Toxic) func(*testing.T, string) string {
	return func(t *testing.T, server string) string {
		p := servers.StartProxy(t, server)
		for _, toxic := range toxics {
			p.Hurt(t, toxic)
		}
		return "https://" + p.Listen
	}
}

// overloaded gives the address of a balancer with no server to spare.
func overloaded(t *testing.T, _ string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no server is available", http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// inTrouble has all troubles befall one store at once, each on a way of its
// own to it. What push, and get in recovery and on a standby, tell PostgreSQL
// comes in time, and then all is as it was.
func inTrouble(t *testing.T, a *pgtest.Archive) {
	s := archivedTo(t, a, pgtest.Newest(t), smallSegments)
	backup := s.BaseBackup()
	s.Noise(700)
	there := s.Archive()
	s.Set("archive_command", "true")
	s.Reload()
	s.Noise(700)
	missing := s.Switch()
	s.Stop()
	recovering := restored(t, s.Postgres, backup, a)
	standby := pgtest.Restore(t, s.Postgres, backup)
	standby.Set("primary_conninfo", "host=192.0.2.1")
	standby.Follow()

	var calls []call
	for _, trouble := range troubles {
		base := trouble.begin(t, a.Store.Address(t))
		b := a.Impatient().At(base)
		other := a.Impatient().At(base) // its host remembers failures on its own
		if trouble.push {
			calls = append(calls, call{"push, " + trouble.name, b.Begin("push", s.Segment(missing)), 1, 3 * time.Second, "walarchive: push " + missing})
		}
		if trouble.gets {
			calls = append(calls,
				call{"recovery, " + trouble.name, b.BeginGet(recovering, there), 200, 4 * time.Second, "walrestore: get " + there},
				call{"standby, " + trouble.name, other.BeginGet(standby, there), 1, 3 * time.Second, "walrestore: get " + there})
		}
	}
	for _, c := range calls {
		t.Run(c.name, c.wantToldOff)
	}

	a.MustDo("push", s.Segment(missing))
	for _, name := range []string{there, missing} {
		wantGot(t, a, recovering, name)
	}
	wantSound(t, a)
}

// A call of one of our programs that a trouble will end.
type call struct {
	name   string
	wait   func() pgtest.Result
	code   int
	limit  time.Duration
	reason string // begins a line; another one is a hint
}

func (c call) wantToldOff(t *testing.T) {
	r := c.wait()
	if r.Code != c.code {
		t.Errorf("exit %d, want %d", r.Code, c.code)
	}
	const start = 3 * time.Second // many start at once, on a busy machine
	if r.Took > c.limit+start {
		t.Errorf("it took %v, want %v", r.Took, c.limit)
	}
	if !strings.Contains("\n"+r.Stderr, "\n"+c.reason+": ") || !strings.Contains(r.Stderr, "\nhint: ") {
		t.Errorf("neither reason nor hint in\n%s", r.Stderr)
	}
}

// promotedWithout: promotions cost little more while the store is mute.
func promotedWithout(t *testing.T, a *pgtest.Archive) {
	network := servers.StartProxy(t, a.Store.Address(t))
	promotionWithoutStore(t, a.At("https://"+network.Listen), func(*pgtest.Server) { network.Hurt(t, servers.Mute) })
}
