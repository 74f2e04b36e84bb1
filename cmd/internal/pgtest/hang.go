package pgtest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Hang is a file that cannot be opened: every open waits, as on a share whose
// server is gone.
type Hang struct {
	t testing.TB
	f *os.File
}

// HangFile makes the file at path hang until the test ends or the kernel loses
// its patience after 45 seconds (/proc/sys/fs/lease-break-time). Nobody may
// have it open now.
func HangFile(t testing.TB, path string) *Hang {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	h := &Hang{t, f}
	t.Cleanup(h.End)
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Fatalf("no lease on %s: %v", path, err)
	}
	return h
}

// Wait waits until somebody hangs at the file.
func (h *Hang) Wait() {
	h.t.Helper()
	Until(h.t, func() bool {
		// An open that conflicts changes the lease to the one it could live with.
		lease, err := unix.FcntlInt(h.f.Fd(), unix.F_GETLEASE, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		return lease != unix.F_WRLCK
	}, "%s was opened", h.f.Name())
}

// End lets all continue.
func (h *Hang) End() { h.f.Close() }
