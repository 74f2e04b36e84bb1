package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
)

// Ready counts the WAL files that the server wants archived.
func (s *Server) Ready() int {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(s.Data, "pg_wal/archive_status/*.ready"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(names)
}

// LaunchInside starts the postmaster as a container does: in a namespace of
// processes of its own, as process 1 or, with init, as a child of process 1.
// pg_ctl cannot stop it, for it goes by a process id of that namespace.
func (s *Server) LaunchInside(init bool) {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	args := []string{"--pid", "--fork", "--kill-child", "--mount-proc"}
	cmd := command(s.t, "/", "unshare")
	if c := cmd.SysProcAttr.Credential; c != nil {
		cmd.SysProcAttr.Credential = nil // unshare needs root's; setpriv gives it up
		args = append(args, "setpriv", fmt.Sprintf("--reuid=%d", c.Uid), fmt.Sprintf("--regid=%d", c.Gid), "--clear-groups")
	} else {
		args = append([]string{"--user", "--map-current-user"}, args...)
	}
	if init {
		args = append(args, "sh", "-c", `"$@" & while :; do sleep 1; done`, "init")
	}
	cmd.Args = append(append(cmd.Args, args...), s.Program("postgres"), "-D", s.Data, "-k", s.socket)
	cmd.Stdout, cmd.Stderr = log, log
	s.main = begin(s.t, cmd)
}
