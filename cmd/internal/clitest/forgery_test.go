package clitest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/walarchive"
	"walarchive/cmd/internal/walrestore"
	"walarchive/fixtures"
)

// site is a cluster with its archive, as it lies in a directory.
type site struct {
	t   *testing.T
	dir string
}

const archived = "000000010000000000000008"

// recipient is one whose identity nobody has.
const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// newSite makes an archive with a segment and a chain of entries 1 to 4: the
// beginning, an escrow, a rotation, a retirement.
func newSite(t *testing.T, name string) *site {
	t.Helper()
	s := &site{t, filepath.Join(t.TempDir(), name)}
	scenario, err := fixtures.Open("A-plain")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scenario.Unpack(s.path("host")); err != nil {
		t.Fatal(err)
	}
	for _, g := range scenario.Segments {
		if g.Name == archived {
			b, err := g.Raw()
			if err != nil {
				t.Fatal(err)
			}
			s.write("host/pgdata/pg_wal/"+archived, b)
		}
	}
	if err := os.Mkdir(s.path("store"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("config", fmt.Appendf(nil, `
[cluster]
pgdata = %q
[storage]
url = "file://%s"
[keys]
provider = "local"
principal = "wal-1"
[keys.providers.local]
type = "file"
path = %q
[spool]
path = %q
[restore]
retry_for = "0s"
`, s.path("host/pgdata"), s.path("store"), s.path("keyring"), s.path("spool")))
	s.must("init --create-key")
	s.must("keys escrow add " + recipient)
	s.must("keys rotate --to wal-2 --create-key")
	s.must("--set keys.principal=wal-2 keys retire wal-1")
	s.must("push pg_wal/" + archived)
	s.must("keys export --out " + s.path("export"))
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }
func (s *site) entry(n int) string      { return s.path(fmt.Sprintf("store/main/keys/%08d", n)) }
func (s *site) read(path string) []byte { b, err := os.ReadFile(path); s.check(err); return b }
func (s *site) write(name string, b []byte) {
	s.t.Helper()
	path := name
	if !filepath.IsAbs(path) {
		path = s.path(name)
	}
	s.check(os.MkdirAll(filepath.Dir(path), 0o700))
	s.check(os.WriteFile(path, b, 0o600))
}

func (s *site) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// copy is a site of its own with all that this one has.
func (s *site) copy(t *testing.T) *site {
	t.Helper()
	c := &site{t, filepath.Join(t.TempDir(), "copy")}
	c.check(os.CopyFS(c.dir, os.DirFS(s.dir)))
	c.write("config", bytes.ReplaceAll(s.read(s.path("config")), []byte(s.dir), []byte(c.dir)))
	return c
}

// run runs one of the programs here, in the words of a command line.
func (s *site) run(line string) (code int, out string) {
	s.t.Helper()
	words := strings.Fields(line)
	program := command.Run(walarchive.Run)
	if words[0] == "walrestore" {
		program, words = walrestore.Run, words[1:]
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	for i, w := range words {
		words[i] = strings.Replace(w, "pg_wal/", s.path("host/pgdata/pg_wal")+"/", 1)
	}
	var b bytes.Buffer
	code = program(ctx, command.Process{Args: words, Environ: []string{"WALARCHIVE_CONFIG=" + s.path("config")}, Stdout: &b, Stderr: &b})
	return code, b.String()
}

func (s *site) must(line string) {
	s.t.Helper()
	if code, out := s.run(line); code != 0 {
		s.t.Fatalf("%s: exit %d\n%s", line, code, out)
	}
}

// forgeries are what somebody can do to a key chain who can write to the store
// and delete from it, but has no key. Other is an archive under the same
// principal keys, fork one that went another way after entry 2.
var forgeries = map[string]func(s, other, fork *site){
	"a damaged entry":         func(s, _, _ *site) { s.write(s.entry(2), flip(s.read(s.entry(2)))) },
	"a truncated entry":       func(s, _, _ *site) { b := s.read(s.entry(3)); s.write(s.entry(3), b[:len(b)/2]) },
	"an empty entry":          func(s, _, _ *site) { s.write(s.entry(4), nil) },
	"the first entry missing": func(s, _, _ *site) { s.check(os.Remove(s.entry(1))) },
	"an entry missing":        func(s, _, _ *site) { s.check(os.Remove(s.entry(2))) },
	"entries exchanged": func(s, _, _ *site) {
		a, b := s.read(s.entry(2)), s.read(s.entry(3))
		s.write(s.entry(2), b)
		s.write(s.entry(3), a)
	},
	"an entry repeated":           func(s, _, _ *site) { s.write(s.entry(5), s.read(s.entry(4))) },
	"an entry of another archive": func(s, other, _ *site) { s.write(s.entry(4), other.read(other.entry(4))) },
	"a whole other archive": func(s, other, _ *site) {
		for n := 1; n <= 4; n++ {
			s.write(s.entry(n), other.read(other.entry(n)))
		}
	},
	"an entry of another course of events": func(s, _, fork *site) { s.write(s.entry(3), fork.read(fork.entry(3))) },
	"all of another course of events": func(s, _, fork *site) {
		s.write(s.entry(3), fork.read(fork.entry(3)))
		s.check(os.Remove(s.entry(4)))
	},
	"a forged entry behind": func(s, _, _ *site) {
		b := s.read(s.entry(4))
		s.write(s.entry(5), bytes.Replace(b, []byte(`"n":4`), []byte(`"n":5`), 1))
	},
	"a retirement undone": func(s, _, _ *site) {
		s.write(s.entry(4), bytes.Replace(s.read(s.entry(4)), []byte("wal-1"), []byte("wal-9"), 1))
	},
	"rolled back":                     func(s, _, _ *site) { s.check(os.Remove(s.entry(4))) },
	"rolled back before the rotation": func(s, _, _ *site) { s.check(os.Remove(s.entry(4))); s.check(os.Remove(s.entry(3))) },
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// readers are the commands that read the key chain, as they are typed.
var readers = []string{
	"init", "push pg_wal/" + archived, "check --no-switch", "info", "verify", "mirror", "repair " + archived,
	"quarantine pg_wal/" + archived + " --reason x",
	"keys list", "keys history", "keys history rebuild", "keys needed --from 0/8000000 --to 0/9000000", "keys audit",
	"keys rotate --to wal-2", "keys rewrap --from wal-2 --to wal-2", "keys retire wal-1",
	"keys escrow add " + recipient, "keys escrow list", "keys escrow remove " + recipient,
	"keys recover --to wal-2", "keys export", "keys check",
	"walrestore get " + archived + " pg_wal/RECOVERYXLOG",
}

// strangers are the commands that do not: keys import holds the chain against an
// export, and the agent reads it for calls of push and get, as they do.
var strangers = []string{"agent", "keys credential", "keys import", "tde", "version"}

// said is how a command tells that the chain is not what it was.
var said = regexp.MustCompile(`key chain is damaged or forged|key chain has lost its newest entries|this is another archive|there, but no key chain|no archive here|does not open this epoch`)

func TestEveryCommandFindsAForgedKeyChain(t *testing.T) {
	mine := newSite(t, "mine")
	other := mine.copy(t)
	other.check(os.RemoveAll(other.path("store/main")))
	other.check(os.RemoveAll(other.path("spool")))
	for _, line := range []string{"init", "keys escrow add " + recipient, "keys rotate --to wal-2", "--set keys.principal=wal-2 keys retire wal-1"} {
		other.must(line)
	}
	fork := mine.copy(t)
	for n := 3; n <= 4; n++ {
		fork.check(os.Remove(fork.entry(n)))
	}
	fork.check(os.RemoveAll(fork.path("spool")))
	fork.must("keys rotate --to wal-2")
	anchor := regexp.MustCompile(`[0-9a-f]{32}:[0-9a-f]{32}`).Find(mine.read(mine.path("export")))
	mine.write("config", bytes.Replace(mine.read(mine.path("config")), []byte("[keys]\n"), fmt.Appendf(nil, "[keys]\nanchor = %q\n", anchor), 1))

	mine.write("config", bytes.Replace(mine.read(mine.path("config")), []byte(`"wal-1"`), []byte(`"wal-2"`), 1))
	for _, line := range readers {
		if code, out := mine.copy(t).run(line); said.MatchString(out) {
			t.Errorf("before any forgery: %s: exit %d\n%s", line, code, out)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(forgeries)) {
		t.Run(name, func(t *testing.T) {
			s := mine.copy(t)
			forgeries[name](s, other, fork)
			before := s.chain()
			for _, line := range readers {
				code, out := s.run(line)
				if code == 0 && !goesOn(line, out) || !said.MatchString(out) {
					t.Errorf("%s: exit %d\n%s", line, code, out)
				}
			}
			if after := s.chain(); after != before {
				t.Errorf("the chain was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// goesOn reports whether a command is one that says what is wrong and does its
// work all the same: what is authentic is restored first of all.
func goesOn(line, out string) bool {
	return line == "info" && strings.Contains(out, "PROBLEM") || strings.HasPrefix(line, "walrestore") && strings.Contains(out, "level=WARN")
}

// chain is all that lies under keys/.
func (s *site) chain() string {
	s.t.Helper()
	files, err := filepath.Glob(s.path("store/main/keys/*"))
	s.check(err)
	var all strings.Builder
	for _, f := range files {
		fmt.Fprintf(&all, "%s\n%s", filepath.Base(f), s.read(f))
	}
	return all.String()
}

// A command that nobody thought of here would not be tried.
func TestEveryCommandIsTried(t *testing.T) {
	s := &site{t, t.TempDir()}
	s.write("config", nil)
	known := append(slices.Clone(readers), strangers...)
	for _, path := range s.commands("") {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k+" ", path+" ") || strings.HasPrefix(path+" ", k+" ") }) {
			t.Errorf("walarchive %s: does it read the key chain?", path)
		}
	}
}

var helped = regexp.MustCompile(`(?m)^   ([a-z-]+)(?:, [a-z]+)?  +\S`)

// commands are the paths of all commands below one, which have none below them.
func (s *site) commands(path string) []string {
	s.t.Helper()
	_, out := s.run(path + " --help")
	_, list, found := strings.Cut(out, "COMMANDS:")
	if !found {
		return []string{strings.TrimSpace(path)}
	}
	list, _, _ = strings.Cut(list, "OPTIONS:")
	var all []string
	for _, m := range helped.FindAllStringSubmatch(list, -1) {
		if m[1] != "help" {
			all = append(all, s.commands(path+" "+m[1])...)
		}
	}
	return all
}
