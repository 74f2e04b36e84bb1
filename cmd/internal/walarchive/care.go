package walarchive

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

func repairCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:      "repair",
		Usage:     "move a damaged object away, so that its file can be archived anew",
		ArgsUsage: "NAME",
		Description: "NAME is a WAL file's or an object's. Only an object that does not authenticate is moved,\n" +
			"to damaged/; the next push stores the file. Needs a credential that may delete. Of several\n" +
			"stores, one that has a sound object gives it to the others.",
		Flags: command.ConfigFlags(),
		Action: func(c *cli.Context) error {
			args, err := command.Operands(c, "NAME")
			if err != nil {
				return err
			}
			if err := repair(c, p, args[0]); err != nil {
				return fmt.Errorf("repair %s: %w", args[0], err)
			}
			return nil
		},
	}
}

func repair(c *cli.Context, p command.Process, name string) error {
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	a, err := s.Open(c.Context, nil)
	if err != nil {
		return err
	}
	done, err := a.Repair(c.Context, name)
	if err != nil {
		return err
	}
	return printRepaired(c.App.Writer, name, done)
}

func printRepaired(w io.Writer, name string, done *archive.Repaired) error {
	var lines []string
	for _, m := range done.Moved {
		lines = append(lines, fmt.Sprintf("%s: %smoved to %s", name, inStore(m.Store), m.Object))
	}
	if len(done.Copied) == 0 {
		lines[len(lines)-1] += "; the next push stores it anew"
	}
	for _, store := range done.Copied {
		lines = append(lines, fmt.Sprintf("%s: in %s again, from another store", name, store))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func inStore(name string) string {
	if name == "" {
		return ""
	}
	return "in " + name + " "
}

func quarantineCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:      "quarantine",
		Usage:     "set a segment aside that cannot be archived, and let archiving go on",
		ArgsUsage: "SEGMENT",
		Description: "SEGMENT is the path of the file, as in pg_wal. Its bytes are sealed as they are; push then\n" +
			"succeeds for exactly these bytes. The gap stays visible in info and verify for ever.",
		Flags: append(command.ConfigFlags(),
			&cli.StringFlag{Name: "reason", Usage: "why: `TEXT` for whoever recovers later"}),
		Action: func(c *cli.Context) error {
			args, err := command.Operands(c, "SEGMENT")
			if err != nil {
				return err
			}
			if c.String("reason") == "" {
				return command.Usagef(c.Command.HelpName, "quarantine: --reason is missing")
			}
			if err := quarantine(c, p, args[0]); err != nil {
				return fmt.Errorf("quarantine %s: %w", args[0], err)
			}
			return nil
		},
	}
}

func quarantine(c *cli.Context, p command.Process, path string) error {
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	d, err := s.DataDir(path)
	if err != nil {
		return err
	}
	a, err := s.Open(c.Context, d)
	if err != nil {
		return err
	}
	object, err := a.Quarantine(c.Context, d, path, c.String("reason"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: under quarantine as %s; recovery cannot pass this segment\n", path, object)
	return err
}

func infoCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "info",
		Usage: "show timelines, ranges, gaps, sizes, epochs and the newest segments",
		Flags: append(append(command.ConfigFlags(), command.RecoveryFlags()...), command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			if err := info(c, p); err != nil {
				return fmt.Errorf("info: %w", err)
			}
			return nil
		},
	}
}

func info(c *cli.Context, p command.Process) error {
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	s.RolledBack = true
	a, err := s.Open(c.Context, nil)
	if err != nil {
		return err
	}
	accepted, err := acceptedGaps(s)
	if err != nil {
		return err
	}
	i, err := a.Info(c.Context, accepted)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return i.JSON(c.App.Writer)
	}
	return i.Text(c.App.Writer)
}
