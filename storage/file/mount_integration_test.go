//go:build integration && linux

package file

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"

	"walarchive/storage"
)

// mountTmpfs is a directory with a file system of its own, of 1 MiB. It needs
// root.
func mountTmpfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mount a tmpfs (are we root?): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestFullStore(t *testing.T) {
	b, err := New(mountTmpfs(t))
	must(t, err)
	put(t, b, "a/first", "x")
	err = b.Put(t.Context(), "a/large", bytes.NewReader(make([]byte, 2<<20)))
	if !errors.Is(err, storage.ErrFull) || !storage.Permanent(err) {
		t.Errorf("got %v, want %v", err, storage.ErrFull)
	}
	wantFiles(t, b, "a/", "a/first")
	put(t, b, "a/small", strings.Repeat("x", 512<<10))
}

func TestReadOnlyStore(t *testing.T) {
	dir := mountTmpfs(t)
	b, err := New(dir)
	must(t, err)
	put(t, b, "a/there", "x")
	must(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for op, err := range map[string]error{
		"put":                  b.Put(t.Context(), "a/new", strings.NewReader("x")),
		"put in new directory": b.Put(t.Context(), "b/new", strings.NewReader("x")),
		"delete":               b.Delete(t.Context(), "a/there"),
	} {
		var hint interface{ Hint() string }
		if !errors.Is(err, storage.ErrPermission) || !strings.Contains(err.Error(), "read-only file system") {
			t.Errorf("%s: got %v, want %v because of a read-only file system", op, err, storage.ErrPermission)
		} else if !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "mounted read-only") {
			t.Errorf("%s: %v has no hint", op, err)
		}
	}
	if err := b.Put(t.Context(), "a/there", strings.NewReader("x")); !errors.Is(err, storage.ErrExist) {
		t.Errorf("put of what is there: got %v, want %v", err, storage.ErrExist)
	}
	if got, err := storage.ReadAll(t.Context(), b, "a/there", 9); string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

// An unmounted share leaves an empty directory, which is not an empty store.
func TestUnmountedStore(t *testing.T) {
	dir := mountTmpfs(t)
	b, err := New(dir)
	must(t, err)
	put(t, b, "there", "x")
	must(t, syscall.Unmount(dir, 0))
	for op, err := range every(t.Context(), b) {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", op, err, storage.ErrUnavailable)
		}
	}
}
