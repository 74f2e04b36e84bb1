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
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		a.t.Fatal(err)
	}
	var found []Call
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !a.isGet(bytes.Split(line, []byte{0})) {
			continue // another process, or it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			a.t.Fatal(err)
		}
		found = append(found, Call{pid})
	}
	if len(found) != 1 {
		a.t.Fatalf("%d calls of get run, want one", len(found))
	}
	return found[0]
}

func (a *Archive) isGet(args [][]byte) bool {
	is := func(word string) func([]byte) bool {
		return func(arg []byte) bool { return string(arg) == word }
	}
	for _, word := range []string{a.Walrestore, a.File, "get"} {
		if !slices.ContainsFunc(args, is(word)) {
			return false
		}
	}
	return true
}
