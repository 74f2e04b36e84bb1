package file_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"walarchive/keys"
	"walarchive/keys/file"
)

func TestCreateMakesAPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	key, err := file.New(path).Create(t.Context(), "wal-2026")
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Mode().Perm(); got != 0o600 {
		t.Errorf("got mode %04o, want 0600", got)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, record("wal-2026", key.Bytes())) {
		t.Error("the file is not one record of the new key")
	}
}

func TestCreateAppends(t *testing.T) {
	path := write(t, record("a", key16))
	key, err := file.New(path).Create(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := append(record("a", key16), record("b", key.Bytes())...); !bytes.Equal(got, want) {
		t.Error("the keyring is not the old record and the new one")
	}
}

func TestRefusedCreateLeavesTheKeyring(t *testing.T) {
	tests := []struct {
		name    string
		keyring []byte
		mode    os.FileMode
		create  string
		err     error
	}{
		{"taken in other case", record("Wal", key16), 0o600, "wAL", keys.ErrKeyExists},
		{"taken by a damaged key", record("wal", nil), 0o600, "wal", keys.ErrKeyExists},
		{"short record at the end", record("a", key16)[:100], 0o600, "b", keys.ErrBadKeyring},
		{"name too long", record("a", key16), 0o600, string(bytes.Repeat([]byte{'n'}, 256)), keys.ErrName},
		{"readable by everybody", record("a", key16), 0o644, "b", nil},
		{"writable by everybody", record("a", key16), 0o602, "b", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.keyring)
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := file.New(path).Create(t.Context(), tt.create)
			if err == nil || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("got %v, want a refusal (%v)", err, tt.err)
			}
			var e *keys.Error
			if !errors.As(err, &e) {
				t.Errorf("got %T, want *keys.Error", err)
			}
			if got, _ := os.ReadFile(path); !bytes.Equal(got, tt.keyring) {
				t.Error("the keyring changed")
			}
		})
	}
}

// A limit on file sizes cuts a write short as a full disk does.
func TestCreateCutShortLeavesTheKeyring(t *testing.T) {
	path := write(t, record("a", key16))
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 292 + 100, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	_, err := file.New(path).Create(t.Context(), "b")
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("got %v, want %v", err, syscall.EFBIG)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, record("a", key16)) {
		t.Errorf("the keyring changed: it has %d bytes", len(got))
	}
}

func TestCreateWaitsForTheLock(t *testing.T) {
	path := write(t, record("a", key16))
	other, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := file.New(path).Create(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, record("a", key16)) {
		t.Error("the keyring changed under another's lock")
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if _, err := file.New(path).Create(t.Context(), "b"); err != nil {
		t.Error(err)
	}
}

func TestCreateMakesNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not-mounted")
	_, err := file.New(filepath.Join(dir, "keyring")).Create(t.Context(), "a")
	if !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, keys.ErrUnavailable)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory was made")
	}
}
