package queue

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// Both ends talk to their own account only, whatever the file modes allow. Who
// is not root has no other account to try it with.
func TestPeer(t *testing.T) {
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	peer := func(dial func() error) error {
		t.Helper()
		if err := dial(); err != nil {
			t.Fatal(err)
		}
		conn, err := l.AcceptUnix()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return checkPeer(conn)
	}
	connect := func() error {
		conn, err := net.Dial("unix", path)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	if err := peer(connect); err != nil {
		t.Errorf("the own account: %v", err)
	}
	if os.Geteuid() == 0 {
		if err := peer(func() error { return asNobody(connect) }); !errors.Is(err, errPeer) {
			t.Errorf("another account: got %v, want %v", err, errPeer)
		}
	}
}

// asNobody runs do on a thread of its own, whose user is nobody, and which ends
// with it.
func asNobody(do func() error) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread()
		const nobody, keep = 65534, ^uintptr(0)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, nobody, keep); errno != 0 {
			ended <- errno
			return
		}
		ended <- do()
	}()
	return <-ended
}
