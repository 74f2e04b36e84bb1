//go:build integration

package pgtest_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestAgentUnderSystemd: systemd hears that the agent is ready, alive, reloading
// and stopping. A configuration that cannot be used changes nothing.
func TestAgentUnderSystemd(t *testing.T) {
	t.Parallel()
	s := pgtest.Init(t, pgtest.Newest(t), smallSegments)
	a := pgtest.NewArchive(t, tools)
	a.Init(s)
	heard, socket := listenNotify(t)
	a.Store.Environ = map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "600000"}
	g := a.StartAgent(s)
	wait := func(what string, n int) {
		t.Helper()
		pgtest.Until(t, func() bool { return strings.Count(heard(), what) >= n }, "systemd heard %s %d times", what, n)
	}
	wait("READY=1", 1)
	wait("WATCHDOG=1", 2)

	g.Signal(syscall.SIGHUP)
	wait("RELOADING=1\nMONOTONIC_USEC=", 1)
	wait("READY=1", 2)
	g.WaitLog("the configuration was read again", 1)

	good, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	for n, bad := range []string{"[storage]\nurk = 1\n", strings.Replace(string(good), `name = "main"`, `name = "elsewhere"`, 1)} {
		pgtest.WriteFile(t, a.File, bad)
		g.Signal(syscall.SIGHUP)
		g.WaitLog("the configuration cannot be used and stays as it was", n+1)
		wait("READY=1", n+3)
	}
	if strings.Contains(heard(), "STOPPING=1") {
		t.Error("it stops by itself")
	}
	g.Stop()
	wait("STOPPING=1", 1)
}

// listenNotify is systemd's end of the notifications: all that was heard, and
// where to send it.
func listenNotify(t *testing.T) (heard func() string, path string) {
	t.Helper()
	path = filepath.Join(pgtest.Scratch(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Own(t, path)
	var mu sync.Mutex
	var all strings.Builder
	var listen sync.WaitGroup
	listen.Go(func() {
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return // closed
			}
			mu.Lock()
			all.Write(append(b[:n:n], '\n'))
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		listen.Wait()
	})
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}, path
}
