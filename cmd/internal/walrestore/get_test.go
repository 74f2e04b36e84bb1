package walrestore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/pitr"
)

// What PostgreSQL reads, and what stands in its log.
func TestAnswer(t *testing.T) {
	trouble := errors.New("the store is not available")
	tests := []struct {
		name    string
		outcome pitr.Outcome
		err     error
		code    int
		stderr  string
	}{
		{"delivered", pitr.Delivered, nil, 0, ""},
		{"end of the archive", pitr.Absent, fmt.Errorf("x: %w", archive.ErrEnd), 1, ""},
		{"trouble on a standby", pitr.Absent, trouble, 1, "walrestore: get X: the store is not available\n"},
		{"trouble in a recovery", pitr.Failed, trouble, 200, "walrestore: get X: the store is not available\n"},
		{"hole", pitr.Failed, archive.ErrHole, 200, "walrestore: get X: missing in the archive, though later WAL is there\n"},
		{"no outcome at all", 0, trouble, 200, "walrestore: get X: the store is not available\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			p := command.Program{Name: name, Failure: failure, Commands: []*cli.Command{{
				Name: "get",
				Action: func(*cli.Context) error {
					if err := answer(slog.New(slog.DiscardHandler), "X", tt.outcome, tt.err); err != nil {
						return fmt.Errorf("get X: %w", err)
					}
					return nil
				},
			}}}
			code := p.Run(t.Context(), command.Process{Args: []string{"get"}, Stdout: &stdout, Stderr: &stderr})
			if code != tt.code || stderr.String() != tt.stderr || stdout.Len() > 0 {
				t.Errorf("code %d, stderr %q, stdout %q; want code %d, stderr %q", code, &stderr, &stdout, tt.code, tt.stderr)
			}
		})
	}
}

// No code that is not an answer may read as one.
func TestFailureStopsRecovery(t *testing.T) {
	for _, c := range []string{"", "get", "tde encrypt", "version", "help"} {
		if code := failure(c); code <= 125 {
			t.Errorf("a failure of %q is code %d, which PostgreSQL reads as the end of the WAL", c, code)
		}
	}
}
