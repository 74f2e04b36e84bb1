package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"walarchive/archive"
)

func TestGetReplacesWhatWasThere(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(1)
	dest := filepath.Join(s.target.Path, "pg_wal", names[0])
	if err := os.WriteFile(dest, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.a.Get(t.Context(), s.target, names[0], dest, archive.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dest); err != nil || !bytes.Equal(got, content[names[0]]) {
		t.Errorf("other bytes (%v)", err)
	}
}

// What was under the name stays when the get fails.
func TestFailedGetKeepsWhatWasThere(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	object := s.object(names[0])
	overwrite(t, s.stored, object, flip(sealed(t, s.stored, object), 30_000))
	dest := filepath.Join(s.target.Path, "pg_wal", names[0])
	if err := os.WriteFile(dest, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s.a.Get(t.Context(), s.target, names[0], dest, archive.GetOptions{})
	wantError(t, err, archive.ErrDamaged)
	if got, err := os.ReadFile(dest); err != nil || string(got) != "old" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Temporary files of killed calls go, those of calls that still run stay.
func TestLeftoversOfKilledCallsAreRemoved(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	dir := filepath.Join(s.target.Path, "pg_wal")
	for _, name := range []string{".walrestore-dead", ".walrestore-live", "not-ours"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	live, err := os.Open(filepath.Join(dir, ".walrestore-live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if err := syscall.Flock(int(live.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := s.a.Get(t.Context(), s.target, names[0], recoveryDest, archive.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	want := ".walrestore-live RECOVERYXLOG archive_status not-ours"
	if got := strings.Join(inWAL(t, s.target), " "); got != want {
		t.Errorf("in pg_wal are %s, want %s", got, want)
	}
}

// Calls that run at once, as parallel restores do, take none of each other's
// files for leftovers.
func TestParallelGetsLeaveEachOtherAlone(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(1)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			dest := filepath.Join(s.target.Path, "pg_wal", strconv.Itoa(n))
			for range 10 {
				if _, err := s.a.Get(t.Context(), s.target, names[0], dest, archive.GetOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
			if got, err := os.ReadFile(dest); err != nil || !bytes.Equal(got, content[names[0]]) {
				t.Errorf("call %d: other bytes (%v)", n, err)
			}
		})
	}
	wg.Wait()
	if got := strings.Join(inWAL(t, s.target), " "); got != "0 1 2 3 archive_status" {
		t.Errorf("in pg_wal are %s", got)
	}
}

// A leftover that cannot be removed, here a directory with a file in it, is
// worth a warning and not the recovery.
func TestLeftoverThatStaysIsNoObstacle(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(1)
	stuck := filepath.Join(s.target.Path, "pg_wal", ".walrestore-stuck")
	if err := os.MkdirAll(filepath.Join(stuck, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := mustRestore(t, s.a, s.target, names[0], content[names[0]])
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "stuck") {
		t.Errorf("got warnings %q", got.Warnings)
	}
}

// A limit on file sizes cuts a write short as a full disk does.
func TestWriteErrorLeavesNothing(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 300_000, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	_, err := s.a.Get(t.Context(), s.target, names[0], recoveryDest, archive.GetOptions{})
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	wantError(t, err, syscall.EFBIG)
	wantNothing(t, s.target)
}

func TestDeliverWritesHistories(t *testing.T) {
	d := newHost(t, small).dir
	for _, content := range []string{"1\t0/500100\tfirst and longer\n", "1\t0/500100\n"} {
		if err := d.Deliver("pg_wal/RECOVERYHISTORY", []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(d.Path, "pg_wal", "RECOVERYHISTORY"))
		if err != nil || string(got) != content {
			t.Errorf("got %q, %v, want %q", got, err, content)
		}
	}
}
