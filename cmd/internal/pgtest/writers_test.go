//go:build integration

package pgtest_test

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"walarchive/cmd/internal/pgtest"
	"walarchive/storage/storagetest/servers"
)

// killedPushes kills pushes over a slow network at random moments. None that
// had succeeded is lost, none that had not is in the way of the next.
func killedPushes(t *testing.T, a *pgtest.Archive) {
	s := archivedTo(t, a, pgtest.Newest(t), smallSegments)
	backup := s.BaseBackup()
	s.Set("archive_command", "true") // the pushes here are ours
	s.Reload()
	network := servers.StartProxy(t, a.Store.Address(t))
	network.Hurt(t, servers.SlowUp(5000))
	slow := a.At("https://" + network.Listen)
	r := pgtest.Restore(t, s.Postgres, backup)
	push := func() string { s.Noise(700); return s.Switch() }

	first := push()
	usual := slow.Do("push", s.Segment(first)).Took
	const rounds = 16
	killed, last := 0, first
	for range rounds {
		last = push()
		switch end := slow.Kill(usual/4+rand.N(usual), "push", s.Segment(last)); {
		case end.Code == 0:
			usual = min(usual, end.Took) // the machine may have been busy before
			wantGot(t, a, r, last)
		case end.Signal == syscall.SIGKILL:
			killed++
		default:
			t.Errorf("push %s: exit %d", last, end.Code)
		}
		a.MustDo("push", s.Segment(last))
	}
	if killed < rounds/4 {
		t.Errorf("only %d of %d pushes were killed", killed, rounds)
	}
	wantSound(t, a)
	wantSameRecords(t, s, a, backup, first, last)
}

// twoPrimaries archives from two servers that are one by all their names, and
// go apart. Of each segment one content is stored, whoever comes first, and
// all who push the other are refused.
func twoPrimaries(t *testing.T, a *pgtest.Archive) {
	s := archivedTo(t, a, pgtest.Newest(t), smallSegments)
	s.Archive()
	s.Stop()
	twins := []*pgtest.Server{pgtest.Restore(t, s.Postgres, s.Data), pgtest.Restore(t, s.Postgres, s.Data)}
	for _, twin := range twins {
		twin.Start()
	}
	r := pgtest.Restore(t, s.Postgres, s.Data)
	for range 3 {
		var pushes [2][]func() pgtest.Result
		name := ""
		for i, twin := range twins {
			twin.Noise(500)
			name = twin.Switch()
			for range 4 {
				pushes[i] = append(pushes[i], a.Begin("push", twin.Segment(name)))
			}
		}
		winner := oneWins(t, name, pushes)
		wantGot(t, a, r, name)
		if r.WALDump(r.Segment(""), name, name) != twins[winner].WALDump(twins[winner].Segment(""), name, name) {
			t.Errorf("%s in the archive is not that of the server that was told so", name)
		}
	}
}

// oneWins: all pushes of one side succeed, all of the other are refused. It
// returns the side.
func oneWins(t *testing.T, name string, sides [2][]func() pgtest.Result) int {
	t.Helper()
	var succeeded [2]int
	for side, pushes := range sides {
		for _, wait := range pushes {
			r := wait()
			switch {
			case r.Code == 0:
				succeeded[side]++
			case r.Code != 1 || !strings.Contains(r.Stderr, "push "+name+": already archived with other content") || !strings.Contains(r.Stderr, "\nhint: "):
				t.Errorf("exit %d\n%s", r.Code, r.Stderr)
			}
		}
	}
	switch n := len(sides[0]); succeeded {
	case [2]int{n, 0}:
		return 0
	case [2]int{0, n}:
		return 1
	}
	t.Fatalf("%s: %d and %d pushes of two contents succeeded", name, succeeded[0], succeeded[1])
	return -1
}
