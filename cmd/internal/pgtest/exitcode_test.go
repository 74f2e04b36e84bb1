//go:build integration

package pgtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// scene is an archive of a cluster that has ended: what recovery starts from.
type scene struct {
	pgtest.Postgres
	archive  *pgtest.Archive
	backup   string
	segments []string // those archived after the backup
	notes    string   // after all of them
}

// stage makes a scene with five segments behind the backup.
func stage(t *testing.T) scene {
	t.Helper()
	return stageIn(t, pgtest.NewArchive(t, tools))
}

func stageIn(t *testing.T, a *pgtest.Archive) scene {
	t.Helper()
	s := archivedTo(t, a, pgtest.Newest(t), smallSegments)
	sc := scene{Postgres: s.Postgres, archive: a, backup: s.BaseBackup()}
	for _, said := range []string{"one", "two", "three", "four", "five"} {
		s.Note(said)
		sc.segments = append(sc.segments, s.Archive())
	}
	sc.notes = s.Notes()
	s.Stop()
	return sc
}

// TestStoppedRecovery: whatever is wrong with the archive stops recovery; only
// the end of the WAL ends it.
func TestStoppedRecovery(t *testing.T) {
	t.Parallel()
	sc := stage(t)
	middle := sc.segments[2]
	tests := []struct {
		name  string
		spoil func(*testing.T, *pgtest.Archive) *pgtest.Archive
		says  string // in the server's log
	}{
		{"store away", storeAway, "no such file or directory"},
		{"store empty", func(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
			a.MoveAway()
			return a.With(pgtest.NewArchive(t, tools).Config)
		}, "no archive here"},
		{"keyring missing", func(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
			c := a.Config
			c.Keyring += ".gone"
			return a.With(c)
		}, "no such file or directory"},
		{"wrong key", wrongKey, "does not open this epoch"},
		{"damaged object", func(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
			flipByte(t, a.Object(middle), fileSize(t, a.Object(middle))/2)
			return a
		}, "the stored object is damaged"},
		{"truncated object", func(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
			if err := os.Truncate(a.Object(middle), fileSize(t, a.Object(middle))-1); err != nil {
				t.Fatal(err)
			}
			return a
		}, "it ends too early"},
		{"object under another name", func(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
			if err := os.Rename(a.Object(sc.segments[3]), a.Object(middle)); err != nil {
				t.Fatal(err)
			}
			return a
		}, "it was sealed as segment"},
		{"hole", func(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
			if err := os.Remove(a.Object(middle)); err != nil {
				t.Fatal(err)
			}
			return a
		}, "missing in the archive, though later WAL is there"},
		{"another cluster's archive", func(t *testing.T, _ *pgtest.Archive) *pgtest.Archive {
			return stage(t).archive
		}, "belongs to another cluster"},
		{"configuration broken", func(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
			pgtest.WriteFile(t, a.File, "[storage]\nurk = 1\n")
			return a
		}, "urk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := tt.spoil(t, sc.archive.Copy(t).Impatient())
			r := restored(t, sc.Postgres, sc.backup, a)
			wantStopped(t, r, "exited with exit code 200")
			if !r.Logged("walrestore: get ") || !r.Logged(tt.says) {
				t.Errorf("the log does not say %q", tt.says)
			}
		})
	}
	t.Run("last segment missing", func(t *testing.T) {
		t.Parallel()
		a := sc.archive.Copy(t)
		if err := os.Remove(a.Object(sc.segments[4])); err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSuffix(sc.notes, " five")
		wantNotes(t, recovered(t, sc.Postgres, sc.backup, a), want)
	})
}

func storeAway(_ *testing.T, a *pgtest.Archive) *pgtest.Archive {
	a.MoveAway()
	return a
}

func wrongKey(t *testing.T, a *pgtest.Archive) *pgtest.Archive {
	other := pgtest.NewArchive(t, tools)
	other.Init(pgtest.Init(t, pgtest.Newest(t)))
	c := a.Config
	c.Keyring = other.Keyring // has another key under the same name
	return a.With(c)
}

func flipByte(t *testing.T, path string, at int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := os.Remove(path); err != nil { // objects are read-only
		t.Fatal(err)
	}
	pgtest.WriteFile(t, path, string(b))
}

// wantStopped starts a recovery that must end by FATAL without having opened.
func wantStopped(t *testing.T, r *pgtest.Server, how string) {
	t.Helper()
	r.Launch()
	pgtest.Until(t, func() bool { return !r.Running() || r.Logged("archive recovery complete") }, "recovery ended")
	wantFatal(t, r, how)
}

func wantFatal(t *testing.T, r *pgtest.Server, how string) {
	t.Helper()
	if !r.Logged("FATAL:  could not restore file") || !r.Logged(how) {
		t.Errorf("recovery did not end by FATAL, %q", how)
	}
	if r.Logged("archive recovery complete") {
		t.Error("recovery ended early and the server opened")
	}
}

// TestDeathsOfGet: whatever kills get stops recovery.
func TestDeathsOfGet(t *testing.T) {
	t.Parallel()
	sc := stage(t)
	bin := pgtest.Scratch(t)
	if err := pgtest.GoBuild(bin, "walarchive/cmd/internal/pgtest/testdata/faulty"); err != nil {
		t.Fatal(err)
	}
	faulty := filepath.Join(bin, "faulty")

	for _, tt := range []struct{ name, command, how, says string }{
		{"panic", "exec " + faulty + " panic", "terminated by signal", "panic: a defect"},
		{"panic below a shell", faulty + " panic; exit $?", "exited with exit code 134", "panic: a defect"},
		{"runtime fatal error", "exec " + faulty + " fatal", "terminated by signal", "fatal error: concurrent map writes"},
		{"out of memory", "exec " + faulty + " memory", "terminated by signal", "fatal error: out of memory"},
		{"cannot be run", "/nowhere/walrestore", "command not found", "not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := restored(t, sc.Postgres, sc.backup, sc.archive, "restore_command", tt.command)
			wantStopped(t, r, tt.how)
			if !r.Logged(tt.says) {
				t.Errorf("the log does not say %q", tt.says)
			}
		})
	}
	for _, tt := range []struct {
		signal syscall.Signal
		how    string
	}{
		{syscall.SIGQUIT, "terminated by signal 3"},
		{syscall.SIGSEGV, "terminated by signal"}, // a fault that the Go runtime takes for its own
		{syscall.SIGKILL, "terminated by signal 9"},
	} {
		t.Run(tt.signal.String(), func(t *testing.T) {
			t.Parallel()
			r, get := slowRecovery(t, sc)
			get.Signal(tt.signal)
			r.WaitEnd()
			wantFatal(t, r, tt.how)
		})
	}
}

// slowRecovery launches a recovery that hangs in a get.
func slowRecovery(t *testing.T, sc scene) (*pgtest.Server, pgtest.Call) {
	t.Helper()
	a := sc.archive.Copy(t)
	hang := pgtest.HangFile(t, a.Object(sc.segments[2]))
	r := restored(t, sc.Postgres, sc.backup, a, "restore_command", "exec "+a.GetCommand())
	r.Launch()
	hang.Wait()
	return r, a.RunningGet()
}

// TestFastStop stops a server whose get hangs: at once, and the get with it.
func TestFastStop(t *testing.T) {
	t.Parallel()
	sc := stage(t)
	t.Run("hanging store", func(t *testing.T) {
		t.Parallel()
		r, get := slowRecovery(t, sc)
		wantFastStop(t, r, get)
	})
	t.Run("store away", func(t *testing.T) {
		t.Parallel()
		a := sc.archive.Copy(t)
		a.MoveAway()
		r := restored(t, sc.Postgres, sc.backup, a, "restore_command", "exec "+a.GetCommand())
		r.Launch()
		r.WaitLog("the archive gives no answer")
		wantFastStop(t, r, a.RunningGet())
	})
}

func wantFastStop(t *testing.T, r *pgtest.Server, get pgtest.Call) {
	t.Helper()
	if took := r.Stop(); took.Seconds() > 2 { // one, and one for a busy machine
		t.Errorf("stopping took %v", took)
	}
	pgtest.Until(t, get.Gone, "get had gone")
	for _, text := range []string{"FATAL", "recovery complete"} {
		if r.Logged(text) {
			t.Errorf("the log says %s", text)
		}
	}
	left, err := filepath.Glob(filepath.Join(r.Data, "pg_wal/*RECOVERYXLOG*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q %v", left, err)
	}
}
