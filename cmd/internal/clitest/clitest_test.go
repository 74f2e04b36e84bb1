// Package clitest runs the scripts in testdata/script against both programs,
// as a person would type them. It has no code of its own.
//
// Beside testscript's own commands there are
//
//	fixture SCENARIO STATE DIR   lay out a recorded server below DIR: DIR/pgdata, DIR/keyrings;
//	                             STATE is - for a server without keys, or one of its key states
//	keys SCENARIO STATE DIR      give the server below DIR another of its key states
//	segment SCENARIO SEG DST     write a recorded segment, as it lay in pg_wal
//	plain SCENARIO SEG DST       write its plaintext
//	digest FILE SHA256           compare the digest of a file
//	cmpbytes A B                 compare two files, of any bytes
//	corrupt FILE OFFSET          change one byte
//	expand FILE                  put the values of $VARIABLES into a file
//	intrude OBJECT               store an object that is not ours, where the test gives the means
//	exit CODE COMMAND...         run a command and expect its exit code
package clitest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/walarchive"
	"walarchive/cmd/internal/walrestore"
	"walarchive/fixtures"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"walarchive": func() { command.Main(walarchive.Run) },
		"walrestore": func() { command.AbortOnCrash(); command.Main(walrestore.Run) },
	})
}

func TestScripts(t *testing.T) { run(t, "testdata/script", func(*testscript.Env) {}) }

// TestScriptsAtDebug runs them with all that the log can say, for the sake of
// the secrets that must not be in it. What is logged is not what the scripts
// expect on standard error.
func TestScriptsAtDebug(t *testing.T) {
	dir := t.TempDir()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(len(scripts), err)
	}
	expectation := regexp.MustCompile(`(?m)^(! )?stderr .*$`)
	for _, name := range scripts {
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), expectation.ReplaceAll(b, nil), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, func(e *testscript.Env) { e.Setenv("WALARCHIVE_LOG_LEVEL", "debug") })
}

// run runs the scripts of a directory. setup adds to their environment. No
// program may print a secret that lies about there.
func run(t *testing.T, dir string, setup func(*testscript.Env)) {
	runParams(t, testscript.Params{Dir: dir}, setup)
}

// runParams is run of the scripts that p names, with its commands beside ours.
func runParams(t *testing.T, p testscript.Params, setup func(*testscript.Env)) {
	secrets := newSecrets()
	p.Deadline, _ = t.Deadline()
	p.Setup = func(e *testscript.Env) error {
		e.Setenv("KEYS", fixtures.KeyringDir)
		e.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each call otherwise
		setup(e)
		secrets.watch(e)
		return nil
	}
	more := p.Cmds
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"fixture":  fixture,
		"keys":     keyState,
		"segment":  segment,
		"plain":    plain,
		"digest":   digest,
		"cmpbytes": cmpbytes,
		"corrupt":  corrupt,
		"expand":   expand,
		"intrude":  intrude,
		"exit":     exit,
	}
	maps.Copy(p.Cmds, more)
	testscript.RunT(watched{t, secrets}, p)
}

func want(ts *testscript.TestScript, neg bool, args []string, usage string, n int) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func fixture(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "fixture SCENARIO STATE DIR", 3)
	s, err := fixtures.Open(args[0])
	ts.Check(err)
	host, err := s.Unpack(ts.MkAbs(args[2]))
	ts.Check(err)
	if args[1] != "-" {
		ts.Check(host.SetKeys(args[1]))
	}
}

func keyState(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "keys SCENARIO STATE DIR", 3)
	s, err := fixtures.Open(args[0])
	ts.Check(err)
	ts.Check(s.At(ts.MkAbs(args[2])).SetKeys(args[1]))
}

// find finds a segment of a scenario.
func find(ts *testscript.TestScript, scenario, name string) fixtures.Segment {
	s, err := fixtures.Open(scenario)
	ts.Check(err)
	for _, g := range s.Segments {
		if g.Name == name {
			return g
		}
	}
	ts.Fatalf("%s has no segment %s", scenario, name)
	return fixtures.Segment{}
}

func segment(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "segment SCENARIO SEG DST", 3)
	b, err := find(ts, args[0], args[1]).Raw()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b, 0o600))
}

func plain(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "plain SCENARIO SEG DST", 3)
	b, err := find(ts, args[0], args[1]).Plain()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b, 0o600))
}

func digest(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "digest FILE SHA256", 2)
	sum := sha256.Sum256([]byte(ts.ReadFile(args[0])))
	if got := hex.EncodeToString(sum[:]); got != args[1] {
		ts.Fatalf("SHA-256 of %s is %s, want %s", args[0], got, args[1])
	}
}

func cmpbytes(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] cmpbytes A B")
	}
	a, b := ts.ReadFile(args[0]), ts.ReadFile(args[1])
	switch {
	case neg && a == b:
		ts.Fatalf("%s and %s are equal", args[0], args[1])
	case !neg && a != b:
		ts.Fatalf("%s and %s differ: %s", args[0], args[1], firstDifference(a, b))
	}
}

func firstDifference(a, b string) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d bytes", len(a), len(b))
	}
	i := 0
	for a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("at offset %d", i)
}

func corrupt(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "corrupt FILE OFFSET", 2)
	off, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	ts.Check(err)
	b[0] ^= 0x55
	_, err = f.WriteAt(b, off)
	ts.Check(err)
}

func expand(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "expand FILE", 1)
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// intruder stores an object of a name as somebody else would. Tests of stores
// put one into the values of a script, under intruderKey.
type intruder func(object string) error

func intrude(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "intrude OBJECT", 1)
	store, ok := ts.Value(intruderKey{}).(intruder)
	if !ok {
		ts.Fatalf("this test's store takes no intruders")
	}
	ts.Check(store(args[0]))
}

type intruderKey struct{}

// exit runs a command; what it printed is then there for stdout and stderr.
func exit(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "exit CODE COMMAND...", 2)
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		got = exited.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != code {
		ts.Fatalf("exit code %d, want %d", got, code)
	}
}
