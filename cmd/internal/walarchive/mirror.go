package walarchive

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

func mirrorCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "mirror",
		Usage: "copy to every store what it lacks and another has",
		Description: "For a mirror that is new, or was out of reach. Safe beside a running archiver; nothing is\n" +
			"replaced. What the first store lost is copied back to it, if it authenticates. Exit 1: something\n" +
			"could not be copied, or differs.",
		Flags: append(command.ConfigFlags(), command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			if err := runMirror(c, p); err != nil {
				return fmt.Errorf("mirror: %w", err)
			}
			return nil
		},
	}
}

func runMirror(c *cli.Context, p command.Process) error {
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	done, err := copyMirrors(c.Context, s, p.Stderr)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = command.PrintJSON(c.App.Writer, done)
	} else {
		err = printMirrored(c.App.Writer, done)
	}
	if err == nil && len(done.Problems) > 0 {
		return command.WithCode(exitFailed, nil) // the report says what
	}
	return err
}

func copyMirrors(ctx context.Context, s *session.Session, stderr io.Writer) (*archive.Mirrored, error) {
	s.InBulk()
	a, err := s.Open(ctx, nil)
	if err != nil {
		return nil, err
	}
	progress := command.NewProgress(stderr, "mirror")
	defer progress.End()
	return a.Mirror(ctx, func(objects int, bytes int64) { progress.Show("%d objects, %d MiB", objects, bytes>>20) })
}

func printMirrored(w io.Writer, done *archive.Mirrored) error {
	for _, b := range done.Problems {
		if _, err := fmt.Fprintf(w, "PROBLEM: %v\n", b); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "copied %d objects, %d bytes\n", done.Objects, done.Bytes)
	return err
}
