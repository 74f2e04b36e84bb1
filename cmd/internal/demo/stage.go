package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"walarchive/fixtures"
)

// stage runs commands and shows them.
type stage struct{ bin, dir string }

func (s *stage) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// expect runs a program, shows what it says, and holds its exit code to want.
func (s *stage) expect(want int, program string, args ...string) error {
	fmt.Printf("   $ %s %s\n", program, strings.ReplaceAll(strings.Join(args, " "), s.dir, "DEMO"))
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	for line := range strings.Lines(strings.ReplaceAll(out.String(), s.dir, "DEMO")) {
		fmt.Print("     ", line)
	}
	var exit *exec.ExitError
	switch {
	case err == nil && want == 0:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == want:
		fmt.Printf("     exit code %d\n", want)
		return nil
	}
	return fmt.Errorf("%s %s: %v, where exit code %d was expected", program, strings.Join(args, " "), err, want)
}

// cluster is a recorded server laid out on disk, with its configuration.
type cluster struct {
	label    string
	scenario fixtures.Scenario
	host     fixtures.Host
	config   string
	store    string
	pushed   []fixtures.Segment
}

const configuration = `[cluster]
name   = "demo"
pgdata = %q
[storage]
url = "file://%s"
[keys]
provider  = "local"
principal = "wal-2026"
[keys.providers.local]
type = "file"
path = %q
[tde]
map = { %q = %q }
[spool]
path = %q
`

// cluster lays the recorded scenario out below the stage's directory.
func (s *stage) cluster(scenario, label string) (*cluster, error) {
	sc, err := fixtures.Open(scenario)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, label)
	host, err := sc.Unpack(dir)
	if err != nil {
		return nil, err
	}
	c := &cluster{label: label, scenario: sc, host: host, config: filepath.Join(dir, "walarchive.toml"), store: filepath.Join(dir, "store")}
	if err := os.Mkdir(c.store, 0o700); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(configuration, host.PGData, c.store, filepath.Join(dir, "keyring"), fixtures.KeyringDir, host.Keyrings, filepath.Join(dir, "spool"))
	return c, os.WriteFile(c.config, []byte(text), 0o600)
}

// put writes a recorded segment into the cluster's pg_wal.
func (c *cluster) put(name string) (string, error) {
	for _, seg := range c.scenario.Segments {
		if seg.Name == name {
			c.pushed = append(c.pushed, seg)
			return c.host.PutSegment(seg)
		}
	}
	return "", fmt.Errorf("%s has no segment %s", c.scenario.Name, name)
}
