package walarchive

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

func keysCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "keys",
		Usage: "the archive's keys",
		Subcommands: []*cli.Command{
			keysRead(p, "list", "show the epochs and the principal keys that open them", listEpochs),
			keysHistory(p),
			keysNeeded(p),
			keysAudit(p),
			keysRotate(p),
			keysRewrap(p),
			keysRetire(p),
			keysEscrow(p),
			keysRecover(p),
			keysExport(p),
			keysImport(p),
			keysCheck(p),
			keysCredential(p),
		},
	}
}

// A listing is what a command of keys shows, as JSON or as a table.
type listing interface {
	table(w io.Writer) error
}

func keysRead(p command.Process, name, usage string, list func(*cli.Context, *session.Session, *archive.Archive) (listing, error)) *cli.Command {
	return &cli.Command{
		Name:  name,
		Usage: usage,
		Flags: append(append(command.ConfigFlags(), command.RecoveryFlags()...), command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			if err := show(c, p, list); err != nil {
				return fmt.Errorf("%s: %w", called(c), err)
			}
			return nil
		},
	}
}

func show(c *cli.Context, p command.Process, list func(*cli.Context, *session.Session, *archive.Archive) (listing, error)) error {
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	a, err := s.Open(c.Context, nil)
	if err != nil {
		return err
	}
	l, err := list(c, s, a)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(c.App.Writer, l)
	}
	return l.table(c.App.Writer)
}

func joinTexts[T fmt.Stringer](list []T) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = s.String()
	}
	return strings.Join(all, ", ")
}

// row adds a row to a table, whose Flush reports any error.
func row(t *tabwriter.Writer, cells ...string) {
	_, _ = fmt.Fprintln(t, strings.Join(cells, "\t"))
}
