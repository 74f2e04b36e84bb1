//go:build integration

package archive_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/storage"
	"walarchive/storage/file"
)

// tmpfs mounts a file system of its own at dir; it needs root.
func tmpfs(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatalf("mount a tmpfs (as root): %v", err)
	}
}

// incompressible writes a full segment of random records into the server's
// pg_wal.
func incompressible(t *testing.T, h *host) string {
	t.Helper()
	id := h.dir.Identity()
	w := waltest.New(id, 1, wal.LSN(3*id.SegmentSize))
	noise := make([]byte, 4000)
	for w.LSN() < wal.LSN(4*id.SegmentSize) {
		if _, err := rand.Read(noise); err != nil {
			t.Fatal(err)
		}
		w.Record(wal.RmgrXLOG, 0x20, 0, noise)
	}
	path := filepath.Join(h.dir.Path, "pg_wal", w.Name(3).String())
	if err := os.WriteFile(path, w.Segment(3), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A store that fills up, goes read-only or goes away fails the push by its
// cause and keeps nothing half-written; when it is mended, the same push
// succeeds.
func TestPushIntoAStoreInTrouble(t *testing.T) {
	dir := t.TempDir()
	tmpfs(t, dir, 0, "size=512k")
	mounted := true
	t.Cleanup(func() {
		if mounted {
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	b, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, small)
	a := initArchive(t, b, newRing(t), h.dir, archive.Options{})
	path := incompressible(t, h)
	before := objects(t, b)
	fails := func(want error, says string) {
		t.Helper()
		_, err := a.Push(t.Context(), h.dir, path)
		wantRefusal(t, err, want, says)
	}

	fails(storage.ErrFull, "no space left")
	if after := objects(t, b); !slices.Equal(after, before) {
		t.Errorf("a full store has %q, want %q", after, before)
	}
	tmpfs(t, dir, syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	fails(storage.ErrPermission, "read-only file system")
	tmpfs(t, dir, syscall.MS_REMOUNT, "size=8m")
	mustPush(t, a, h.dir, path)

	if err := syscall.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
	mounted = false
	fails(storage.ErrUnavailable, "")
	if _, err := archive.Open(t.Context(), mustBucket(t, dir), newRing(t), archive.Options{}); !errors.Is(err, archive.ErrNoArchive) {
		t.Errorf("the empty mount point: %v, want ErrNoArchive", err)
	}
}

func mustBucket(t *testing.T, dir string) storage.Bucket {
	t.Helper()
	b, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
