//go:build integration

package archive_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"walarchive/archive"
)

// The target's file system, a tmpfs, is smaller than the segment. Mounting one
// needs root.
func TestFullDiskLeavesNothing(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Fatalf("mount a tmpfs (as root): %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	_, err := s.a.Get(t.Context(), s.target, names[0], filepath.Join(dir, "RECOVERYXLOG"), archive.GetOptions{})
	wantError(t, err, syscall.ENOSPC)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}
