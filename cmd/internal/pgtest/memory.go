package pgtest

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Measured is Do of either program that also tells the most memory it held at
// once, in bytes. The program may take ten times the usual patience.
func (a *Archive) Measured(program string, args ...string) (r Result, memory int64) {
	a.t.Helper()
	var stderr bytes.Buffer
	call := a.call(program, args...)
	cmd := command(a.t, "/", call[0], call[1:]...)
	cmd.Stderr = &stderr
	p := begin(a.t, cmd)
	for deadline := time.Now().Add(10 * patience); !p.endsWithin(5 * time.Millisecond); {
		memory = max(memory, peak(a.t, cmd.Process.Pid))
		if time.Now().After(deadline) {
			p.kill()
		}
	}
	r = p.result()
	r.Stderr = stderr.String()
	return r, memory
}

// peak is the most that a process has been resident with since it began its
// program, 0 if it has ended. What wait(2) reports is no use: it begins with
// the size of the process that forked.
func peak(t testing.TB, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var n int64
			if _, err := fmt.Sscanf(kib, "%d kB", &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return n << 10
		}
	}
	return 0
}
