package pgtest

import (
	"errors"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Hang is a file that nobody can open, as on a share whose server is gone.
type Hang struct {
	t       testing.TB
	path    string
	reached func() bool
	close   func() error
}

// HangFile makes every open of the file at path hang until End or the end of
// the test. Nobody may have it open now.
//
// It needs root's rights (CAP_SYS_ADMIN). Without them opens hang at most 45
// seconds (/proc/sys/fs/lease-break-time), and those that ask not to wait fail.
func HangFile(t testing.TB, path string) *Hang {
	t.Helper()
	h, err := hangByFanotify(path)
	if errors.Is(err, unix.EPERM) {
		h, err = hangByLease(path)
	}
	if err != nil {
		t.Fatalf("make %s hang: %v", path, err)
	}
	h.t, h.path, h.close = t, path, sync.OnceValue(h.close)
	t.Cleanup(h.End)
	return h
}

// Wait waits until somebody hangs at the file.
func (h *Hang) Wait() { h.t.Helper(); Until(h.t, h.reached, "%s was opened", h.path) }

// End lets all continue.
func (h *Hang) End() {
	if err := h.close(); err != nil {
		h.t.Error(err)
	}
}

// hangByFanotify asks the kernel to ask us before it opens the file, and gives
// no answer.
func hangByFanotify(path string) (*Hang, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM, unix.AT_FDCWD, path); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	reached := func() bool {
		asked := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(asked, 0)
		return err == nil && n == 1
	}
	return &Hang{reached: reached, close: func() error { return unix.Close(fd) }}, nil
}

// hangByLease takes a lease on the file: the kernel lets an open wait until we
// have given it back.
func hangByLease(path string) (*Hang, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	reached := func() bool {
		// An open that conflicts changes the lease to the one it could live with.
		lease, err := unix.FcntlInt(f.Fd(), unix.F_GETLEASE, 0)
		return err == nil && lease != unix.F_WRLCK
	}
	return &Hang{reached: reached, close: f.Close}, nil
}
