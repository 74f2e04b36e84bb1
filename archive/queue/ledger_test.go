package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/keys"
	"walarchive/storage"
)

func TestKind(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{fmt.Errorf("push: %w", archive.ErrConflict), "archive_conflict"},
		{&storage.Error{Op: "put", Name: "x", Err: storage.ErrUnavailable}, "storage_unavailable"},
		{fmt.Errorf("%w: %w", storage.ErrUnavailable, archive.ErrDamaged), "archive_damaged"},
		{fmt.Errorf("x: %w", &keys.WrongKeyError{}), "keys_wrongkey"},
		{newFailure(archive.ErrHole).error(), "archive_hole"}, // from the other end of a socket
		{errors.New("x"), "other"},
	}
	for _, tt := range tests {
		if got := Kind(tt.err); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.err, got, tt.want)
		}
	}
}

// Pushes that end out of order do not move the archive's end back, another
// timeline's do.
func TestLastArchived(t *testing.T) {
	l := &Ledger{SegmentSize: 1 << 20, Now: time.Now}
	for _, step := range []struct{ pushed, want string }{
		{"000000010000000000000005", "000000010000000000000005"},
		{"000000010000000000000004", "000000010000000000000005"},
		{"00000002.history", "000000010000000000000005"},
		{"000000020000000000000003", "000000020000000000000003"},
		{"000000010000000000000006", "000000020000000000000003"},
	} {
		l.Pushed(Finished{File: File{Path: "/pg_wal/" + step.pushed}, Pushed: &archive.Pushed{}})
		if last, _ := l.State(); last == nil || last.File != step.want {
			t.Errorf("after %s: got %+v, want %s", step.pushed, last, step.want)
		}
	}
}

// Trouble lasts until a push succeeds.
func TestTrouble(t *testing.T) {
	l := &Ledger{SegmentSize: 1 << 20, Now: time.Now}
	file := File{Path: "/pg_wal/000000010000000000000005"}
	l.Pushed(Finished{File: file, Err: storage.ErrUnavailable})
	if _, trouble := l.State(); trouble == nil || trouble.Kind != "storage_unavailable" {
		t.Errorf("got %+v", trouble)
	}
	l.Pushed(Finished{File: file, Pushed: &archive.Pushed{}})
	if _, trouble := l.State(); trouble != nil {
		t.Errorf("got %+v, want none", trouble)
	}
}

func TestLookBacklog(t *testing.T) {
	dir := t.TempDir()
	status := filepath.Join(dir, "pg_wal/archive_status")
	if err := os.MkdirAll(status, 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, age := range map[string]time.Duration{
		"000000010000000000000007.ready": time.Minute, "000000010000000000000008.ready": 0,
		"000000010000000000000006.done": time.Hour, "000000010000000000000007.00000028.backup.ready": 0,
	} {
		path := filepath.Join(status, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LookBacklog(dir, 16<<20, now)
	want := Backlog{Files: 3, Bytes: 32 << 20, Seconds: 60, First: "000000010000000000000007"}
	if got.Seconds = float64(int(got.Seconds + 0.5)); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := LookBacklog(t.TempDir(), 16<<20, now); err == nil {
		t.Error("no error where there is no pg_wal")
	}
}
