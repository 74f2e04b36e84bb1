package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A process whose parent ends is adopted by process 1, or by an ancestor that
// asked for that. A postmaster takes the death of any child by a signal for the
// crash of a backend, and restarts all of them: so it must never be the one
// that adopts the agent. In containers it often is process 1.

// adoptedByPostmaster reports whether process pid is a postmaster, that of
// pgdata or another, and by which name it can be known again.
func adoptedByPostmaster(pid int, pgdata string) (name string, ok bool) {
	if runningServer(pgdata) == pid {
		return processName(pid), true
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "", false
	}
	switch strings.TrimSpace(string(comm)) {
	case "postgres", "postmaster", "edb-postgres":
		return processName(pid), true
	}
	return "", false
}

// runningServer is the process of the postmaster on pgdata, 0 if none runs.
func runningServer(pgdata string) int {
	b, err := os.ReadFile(filepath.Join(pgdata, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return 0
	}
	return pid
}

// processName is a process's id and the time of its start, empty if there is
// none: process ids are used again.
func processName(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// Behind the command's name, which may hold anything, comes field 3.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const start = 22 - 3
	if len(fields) <= start {
		return ""
	}
	return fmt.Sprintf("%d %s", pid, fields[start])
}

// awaitAdoption returns when the process parent, which started this one, has
// ended, and says who adopted this one.
func awaitAdoption(parent int) (adopter int) {
	for os.Getppid() == parent {
		time.Sleep(10 * time.Millisecond)
	}
	return os.Getppid()
}
