package archive_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs do without root's right to read every file: on a thread of its
// own, whose file system user is nobody, and which ends with it.
func asNobody(t testing.TB, do func() error) error {
	if os.Geteuid() != 0 {
		return do()
	}
	ended := make(chan error)
	go func() {
		runtime.LockOSThread()
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0); errno != 0 {
			ended <- errno
			return
		}
		ended <- do()
	}()
	return <-ended
}
