//go:build integration

package queue

import (
	"syscall"
	"testing"
)

// The spool's file system, a tmpfs, is full although the setting allows more:
// what has no room comes from the store. Mounting one needs root.
func TestFullSpool(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Fatalf("mount a tmpfs (as root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	a := newAhead(t, PrefetchOptions{Room: Room{Memory: chunkSize, Spool: dir, SpoolBytes: 1 << 30}})
	names := a.put(4, size)
	for i, name := range names {
		a.Want(names[i:])
		a.fetches.Wait()
		a.read(name, i, size)
	}
	if a.calls.Count("get") <= len(names) {
		t.Error("nothing was asked of the store again: the spool was not full")
	}
}
