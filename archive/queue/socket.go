package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrRunning: another agent holds the socket's lock.
var ErrRunning = errors.New("an agent is running already")

// maxSocket is how long the path of a unix socket may be, in bytes.
const maxSocket = 107

// Listener is the agent's socket, and its lock.
type Listener struct {
	*net.UnixListener
	lock *os.File
}

// Listen takes the lock of the socket at path and binds it. The directory is
// made if it is not there. A running agent gives ErrRunning.
func Listen(path string) (*Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	l, err := bind(path)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Listener{l, lock}, nil
}

func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrRunning
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f, nil
}

// bind listens. Whoever has the lock may remove what a killed agent left.
func bind(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close removes the socket, if Serve has not done so, and gives up the lock.
func (l *Listener) Close() error {
	err := l.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, l.lock.Close())
}

// dial connects to an agent of this account.
func dial(ctx context.Context, path string) (net.Conn, error) {
	if _, err := os.Lstat(path); err != nil {
		return nil, err // before anything else: where nobody listens, nothing can be wrong
	}
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn.(*net.UnixConn)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// errPlace: the socket could be somebody else's.
var errPlace = errors.New("no safe place for the agent's socket")

// checkPlace looks at the directory of a socket and all above it.
func checkPlace(path string) error {
	if len(path) > maxSocket {
		return fmt.Errorf("%w: its path has %d bytes, more than %d", errPlace, len(path), maxSocket)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o and belongs to uid %d, want 0700 and %d", errPlace, dir, st.Mode&0o7777, st.Uid, os.Geteuid())
	}
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if err := checkAbove(above); err != nil || above == filepath.Dir(above) {
			return err
		}
	}
}

// checkAbove refuses a directory in which others could put another one in our
// directory's place. In one with the sticky bit, such as /tmp, they cannot.
func checkAbove(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	if st.Mode&0o002 != 0 && st.Mode&unix.S_ISVTX == 0 {
		return fmt.Errorf("%w: everybody can write to %s", errPlace, dir)
	}
	if uid := int(st.Uid); uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to uid %d", errPlace, dir, uid)
	}
	return nil
}

var errPeer = errors.New("the other end of the agent's socket is another account")

// checkPeer asks the kernel whose process the other end is.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if int(cred.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: uid %d, want %d", errPeer, cred.Uid, os.Geteuid())
	}
	return nil
}
