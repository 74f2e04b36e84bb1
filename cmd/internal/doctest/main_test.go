package doctest_test

import (
	"fmt"
	"os"
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// programs is the directory of the built programs.
var programs string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	if programs, err = os.MkdirTemp("", "walarchive"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(programs)
	if err := os.Chmod(programs, 0o755); err != nil {
		return 1, err
	}
	if _, err := pgtest.Build(programs); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
