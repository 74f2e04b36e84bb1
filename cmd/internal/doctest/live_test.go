//go:build integration

package doctest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestQuickstartPlain runs the page beside a real server.
func TestQuickstartPlain(t *testing.T) {
	s := newSandbox(t, pgtest.Scratch(t))
	s.install(pgtest.Newest(t))
	s.run(readPage(t, live))
}

// install makes a running server main, with its configuration in
// /etc/postgresql as Debian has it.
func (s *sandbox) install(p pgtest.Postgres) {
	s.server = filepath.Dir(p.Program("postgres"))
	conf, sockets := s.path("/etc/postgresql/17/main"), s.path("/var/run/postgresql")
	s.check(os.MkdirAll(conf, 0o755))
	for _, d := range []string{"/var/lib/postgresql/17", "/var/run/postgresql", "/etc/postgresql/17/main"} {
		pgtest.Own(s.t, s.path(d))
	}
	pgtest.MustRun(s.t, "/", p.Program("initdb"), "-D", s.path(dataDir), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	for _, f := range []string{"postgresql.conf", "pg_hba.conf", "pg_ident.conf"} {
		pgtest.MustRun(s.t, "/", "mv", filepath.Join(s.path(dataDir), f), conf)
	}
	settings := "data_directory = '" + s.path(dataDir) + "'\n" +
		"hba_file = '" + conf + "/pg_hba.conf'\n" +
		"ident_file = '" + conf + "/pg_ident.conf'\n" +
		"unix_socket_directories = '" + sockets + "'\n" +
		"listen_addresses = ''\nfsync = off\n"
	b, err := os.ReadFile(filepath.Join(conf, "postgresql.conf"))
	s.check(err)
	s.check(os.WriteFile(filepath.Join(conf, "postgresql.conf"), append(b, settings...), 0o644))
	s.administer(conf)
}

// administer makes the sandbox's stubs those of a machine with a server, and
// starts the server.
func (s *sandbox) administer(conf string) {
	if os.Geteuid() == 0 {
		for _, program := range []string{"chown", "install"} {
			s.check(os.Remove(filepath.Join(s.dir, "bin", program)))
		}
		s.stub("sudo", `if [ "$1" != -u ]; then exec "$@"; fi
account=$2; shift 2
exec setpriv --reuid="$account" --regid="$account" --init-groups "$@"`)
	}
	s.stub("systemctl", `sudo=$(command -v sudo); PATH=/sbin:/bin:/usr/sbin:/usr/bin
exec "$sudo" -u postgres `+s.server+`/pg_ctl "$1" -w -D `+conf+` -l `+s.path("/var/lib/postgresql/17/log")+` >/dev/null`)
	s.t.Cleanup(s.stopAll)
	s.systemctl("start")
}

// stopAll stops every server that runs on a data directory of the sandbox: a
// page that fails half way leaves its own behind.
func (s *sandbox) stopAll() {
	running, err := filepath.Glob(s.path("/var/lib/postgresql/17/*/postmaster.pid"))
	s.check(err)
	for _, pid := range running {
		pgtest.MustRun(s.t, "/", filepath.Join(s.server, "pg_ctl"), "stop", "-w", "-m", "immediate", "-D", filepath.Dir(pid))
	}
}

func (s *sandbox) systemctl(action string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.dir, "bin", "systemctl"), action, "postgresql@17-main")
	cmd.Dir, cmd.Env = s.dir, s.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(s.path("/var/lib/postgresql/17/log"))
		s.t.Fatalf("systemctl %s: %v\n%s%s", action, err, out, log)
	}
}
