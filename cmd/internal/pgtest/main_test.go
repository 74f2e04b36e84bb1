//go:build integration

package pgtest_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"walarchive/cmd/internal/pgtest"

	// What is built and run here. go test knows of it only by imports, and would
	// repeat results of yesterday's programs.
	_ "walarchive/cmd/internal/walarchive"
	_ "walarchive/cmd/internal/walrestore"
)

// tools are the programs under test, built once.
var tools pgtest.Tools

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "walarchive")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, err
	}
	if tools, err = pgtest.Build(dir); err != nil {
		return 1, err
	}
	// Servers wait more than they work. A flag of go test wins over this.
	if err := flag.Set("test.parallel", "3"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// smallSegments are the arguments of initdb for segments of 1 MiB, with which
// little WAL makes many segments.
const smallSegments = "--wal-segsize=1"
