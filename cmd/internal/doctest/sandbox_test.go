package doctest_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"walarchive/fixtures"
)

// sandbox is a directory that stands for the root of a machine.
type sandbox struct {
	t      *testing.T
	dir    string
	server string // directory with the programs of PostgreSQL; empty without a server
}

// dataDir is where the pages have the server's data directory.
const dataDir = "/var/lib/postgresql/17/main"

// newSandbox makes a machine in dir, without a server.
func newSandbox(t *testing.T, dir string) *sandbox {
	t.Helper()
	s := &sandbox{t: t, dir: dir}
	for _, d := range []string{"bin", "etc", "srv", "mnt", "var/lib/postgresql/17", "var/spool", "var/backups", "var/run/postgresql"} {
		s.check(os.MkdirAll(filepath.Join(s.dir, d), 0o755))
	}
	s.stub("sudo", `if [ "$1" = -u ]; then shift 2; fi; exec "$@"`)
	// There is no other account to give anything to.
	s.stub("chown", ":")
	s.stub("install", `args=(); while [ $# -gt 0 ]; do case "$1" in -o|-g) shift 2;; *) args+=("$1"); shift;; esac; done; exec /usr/bin/install "${args[@]}"`)
	return s
}

func (s *sandbox) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// stub makes a program of the sandbox's own.
func (s *sandbox) stub(name, script string) {
	s.t.Helper()
	s.check(os.WriteFile(filepath.Join(s.dir, "bin", name), []byte("#!/bin/bash\n"+script+"\n"), 0o755))
}

// record lays out a recorded server as main, with its segments in pg_wal.
func (s *sandbox) record(scenario, state string) {
	s.t.Helper()
	rec, err := fixtures.Open(scenario)
	s.check(err)
	host, err := rec.Unpack(filepath.Join(s.dir, "unpacked"))
	s.check(err)
	for _, g := range rec.Segments {
		if !g.HasRaw() {
			continue
		}
		_, err := host.PutSegment(g)
		s.check(err)
	}
	if state != "" {
		s.check(host.SetKeys(state))
		s.moveProviders(filepath.Join(host.PGData, rec.KeyDir(), "1664_providers"))
		s.check(os.Rename(host.Keyrings, s.path(fixtures.KeyringDir)))
	}
	s.check(os.Rename(host.PGData, s.path(dataDir)))
}

// moveProviders makes the options of the server's key providers name files in
// the sandbox. They are text padded with NUL, in records of a fixed size.
func (s *sandbox) moveProviders(file string) {
	s.t.Helper()
	const record, from, to = 1160, 132, 1156
	all, err := os.ReadFile(file)
	s.check(err)
	for b := all; len(b) >= record; b = b[record:] {
		options := bytes.TrimRight(b[from:to], "\x00")
		options = bytes.ReplaceAll(options, []byte(fixtures.KeyringDir), []byte(s.path(fixtures.KeyringDir)))
		clear(b[from:to])
		copy(b[from:to], options)
	}
	s.check(os.WriteFile(file, all, 0o600))
}

// path is where a path of the pages lies.
func (s *sandbox) path(path string) string { return s.dir + path }

var machinePaths = regexp.MustCompile(`/usr/local/bin|/usr/lib/postgresql/17/bin|/(etc/walarchive|etc/postgresql|etc/patroni|srv|mnt|var/lib|var/spool|var/backups|var/run)\b`)

// place puts the paths in text into the sandbox.
func (s *sandbox) place(text string) string {
	return machinePaths.ReplaceAllStringFunc(text, func(p string) string {
		switch p {
		case "/usr/local/bin":
			return programs
		case "/usr/lib/postgresql/17/bin":
			return s.server
		}
		return s.dir + p
	})
}

func (s *sandbox) environ() []string {
	return []string{
		"PATH=" + s.dir + "/bin:" + programs + ":/usr/local/bin:/usr/bin:/bin",
		"HOME=" + s.dir, "LC_ALL=C", "TZ=UTC", "PGHOST=" + s.path("/var/run/postgresql"), "PGUSER=postgres",
		"WALARCHIVE_CONFIG=" + s.path("/etc/walarchive/walarchive.toml"),
		"WALARCHIVE_SPOOL_PATH=" + s.path("/var/spool/walarchive"),
	}
}

// run runs the blocks of a page.
func (s *sandbox) run(p page) {
	s.t.Helper()
	script, calls := s.script(p)
	file := filepath.Join(s.dir, "page.sh")
	s.check(os.WriteFile(file, []byte(script), 0o644))
	cmd := exec.CommandContext(s.t.Context(), "bash", file)
	cmd.Dir, cmd.Env = s.dir, s.environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		at, _ := os.ReadFile(filepath.Join(s.dir, "line"))
		s.t.Fatalf("%s:%s: %v\n%s", p.name, bytes.TrimSpace(at), err, out)
	}
	for i, c := range calls {
		got, err := os.ReadFile(s.output(i))
		s.check(err)
		placed := call{output: s.place(c.output)}
		if !placed.matches(string(got)) {
			s.t.Errorf("%s:%d: %s\nprints\n%s\nthe page says\n%s", p.name, c.line, c.command, got, placed.output)
		}
	}
}

func (s *sandbox) output(call int) string {
	return filepath.Join(s.dir, "out."+strconv.Itoa(call))
}

// script is the page as one script, and the calls whose output it keeps.
func (s *sandbox) script(p page) (string, []call) {
	var b strings.Builder
	var calls []call
	b.WriteString("set -e -o pipefail\nexec </dev/null\n")
	at := func(line int) { fmt.Fprintf(&b, "echo %d >%s/line\n", line, s.dir) }
	for _, block := range p.blocks {
		switch block.language {
		case "sh", hidden:
			at(block.line)
			b.WriteString(s.place(block.text))
		case "console":
			for _, c := range block.calls() {
				at(c.line)
				fmt.Fprintf(&b, "{ %s\n} >%s 2>&1 || true\n", s.place(c.command), s.output(len(calls)))
				calls = append(calls, c)
			}
		}
	}
	return b.String(), calls
}
