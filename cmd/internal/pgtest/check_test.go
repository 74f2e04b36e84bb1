//go:build integration

package pgtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestCheck: check sees a segment of a working server arrive, and says what to
// do about one that does not archive.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, p := range append(pgtest.Embedded(t), pgtest.Newest(t)) {
		t.Run("working "+p.String(), func(t *testing.T) {
			t.Parallel()
			wantSwitchSeen(t, p)
		})
	}
	for _, tt := range []struct {
		name  string
		spoil func(*pgtest.Server, *pgtest.Archive)
		want  []string
	}{
		{"archive_mode off", func(s *pgtest.Server, _ *pgtest.Archive) { s.Set("archive_mode", "off") },
			[]string{"PROBLEM: archive_mode: off", "ALTER SYSTEM SET archive_mode = on"}},
		{"another archive_command", func(s *pgtest.Server, _ *pgtest.Archive) { s.Set("archive_command", "test -f %p") },
			[]string{"PROBLEM: archive_command: does not call walarchive push %p: test -f %p", "ALTER SYSTEM SET archive_command"}},
		{"no archive_command", func(s *pgtest.Server, _ *pgtest.Archive) { s.Set("archive_command", "") },
			[]string{"PROBLEM: archive_command: empty"}},
		{"program not there", func(s *pgtest.Server, _ *pgtest.Archive) {
			s.Set("archive_command", "/nowhere/walarchive push %p")
		}, []string{"PROBLEM: archive_command: /nowhere/walarchive is no program on this host"}},
		{"store gone", func(_ *pgtest.Server, a *pgtest.Archive) { a.MoveAway() },
			[]string{"PROBLEM: store: directory ", "  hint: is its file system mounted?", "not checked: WAL switch: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := pgtest.Init(t, pgtest.Newest(t), smallSegments)
			a := pgtest.NewArchive(t, tools)
			a.Init(s)
			a.ArchiveFrom(s)
			tt.spoil(s, a)
			s.Start()
			wantChecked(t, check(t, s, a), 1, tt.want...)
		})
	}
}

func wantSwitchSeen(t *testing.T, p pgtest.Postgres) {
	t.Helper()
	s, a := archived(t, p, smallSegments)
	before := len(a.Objects("0000"))
	for range 2 { // the second begins with an empty segment
		wantChecked(t, check(t, s, a), 0, "ok: archive_mode: on", "ok: archive_command: ", "ok: WAL switch: 0000")
	}
	if got := len(a.Objects("0000")); got < before+2 {
		t.Errorf("%d objects, %d before: no segment arrived", got, before)
	}
	if probes := a.Objects("probe"); len(probes) != 0 {
		t.Errorf("left behind: %v", probes)
	}
	wantChecked(t, check(t, s, a, "--no-switch"), 0, "not checked: WAL switch: --no-switch")
}

// TestCheckOfServerNotReached: what cannot be asked is said so.
func TestCheckOfServerNotReached(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	pid := filepath.Join(s.Data, "postmaster.pid")
	b, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	wantChecked(t, check(t, s, a), 0, "not checked: server: no server runs on ")
	pgtest.WriteFile(t, pid, string(b)) // as after a crash
	wantChecked(t, check(t, s, a), 0, "not checked: server: psql: error: connection to server")
}

// check runs walarchive check in the server's data directory.
func check(t *testing.T, s *pgtest.Server, a *pgtest.Archive, flags ...string) pgtest.Result {
	t.Helper()
	return pgtest.Run(t, s.Data, a.Walarchive, append([]string{"--config", a.File, "check"}, flags...)...)
}

func wantChecked(t *testing.T, r pgtest.Result, code int, texts ...string) {
	t.Helper()
	if r.Code != code || r.Stderr != "" {
		t.Errorf("exit %d, want %d\n%s%s", r.Code, code, r.Stdout, r.Stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.Stdout, text) {
			t.Errorf("it does not say %q:\n%s", text, r.Stdout)
		}
	}
}
