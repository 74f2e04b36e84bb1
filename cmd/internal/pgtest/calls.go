package pgtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Call is a running call of one of our commands by a server.
type Call struct{ pid int }

// Signal sends it a signal; one that has ended takes no notice.
func (c Call) Signal(s syscall.Signal) { _ = syscall.Kill(c.pid, s) }

// Gone reports whether it has ended.
func (c Call) Gone() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid))
	return err != nil || bytes.Contains(stat, []byte(") Z ")) // zombie
}

// RunningGet is the one call of get that runs on this archive.
func (a *Archive) RunningGet() Call {
	a.t.Helper()
	found := a.calls(a.Walrestore, a.File, "get")
	if len(found) != 1 {
		a.t.Fatalf("%d calls of get run, want one", len(found))
	}
	return found[0]
}

// Agents are the agents on this archive that pushes have started.
func (a *Archive) Agents() []Call {
	a.t.Helper()
	return a.calls(a.File, "--autostarted-by")
}

// calls are the running processes whose arguments hold all words.
func (a *Archive) calls(words ...string) []Call {
	a.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		a.t.Fatal(err)
	}
	var found []Call
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !hasAll(bytes.Split(line, []byte{0}), words) {
			continue // another process, or it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			a.t.Fatal(err)
		}
		found = append(found, Call{pid})
	}
	return found
}

func hasAll(args [][]byte, words []string) bool {
	for _, word := range words {
		if !slices.ContainsFunc(args, func(arg []byte) bool { return string(arg) == word }) {
			return false
		}
	}
	return true
}
