package walarchive

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/cmd/internal/command"
)

func keysNeeded(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "needed",
		Usage: "list the principal keys of pg_tde's that a replay asks for, in order",
		Description: "A replay begins where the base backup does, and asks for the keys that the backup's key files\n" +
			"name and for every key that it meets a rotation to. Exit 1 if there may be others than those\n" +
			"listed, each reason in a line NOT KNOWN.",
		Flags: append(command.ConfigFlags(),
			&cli.StringFlag{Name: "from", Usage: "`LSN` at which replay begins"},
			&cli.StringFlag{Name: "to", Usage: "`LSN` up to which it goes"},
			&cli.StringFlag{Name: "timeline", Usage: "timeline that it follows: `N`; by default the newest with WAL"},
			command.JSONFlag()),
		Action: keysAction(p, showNeeded),
	}
}

func showNeeded(k *keysCall) error {
	from, err := k.flagLSN("from")
	if err != nil {
		return err
	}
	to, err := k.flagLSN("to")
	if err != nil {
		return err
	}
	var timeline wal.Timeline
	if text := k.String("timeline"); text != "" {
		if timeline, err = wal.ParseTimeline(text); err != nil {
			return command.Usagef(k.Command.HelpName, "--timeline: %w", err)
		}
	}
	a, err := k.open()
	if err != nil {
		return err
	}
	n, err := a.NeededKeys(k.Context.Context, from, to, timeline)
	if err != nil {
		return err
	}
	if err := k.show(neededKeys{n}); err != nil {
		return err
	}
	if len(n.Unknown) > 0 {
		return command.WithCode(exitFailed, nil) // the listing says why
	}
	return nil
}

// flagLSN is the LSN that a flag gives. The flag must be given.
func (k *keysCall) flagLSN(flag string) (wal.LSN, error) {
	if k.String(flag) == "" {
		return 0, command.Usagef(k.Command.HelpName, "--%s is missing", flag)
	}
	at, err := wal.ParseLSN(k.String(flag))
	if err != nil {
		return 0, command.Usagef(k.Command.HelpName, "--%s: %w", flag, err)
	}
	return at, nil
}

type neededKeys struct{ *archive.Needed }

func (n neededKeys) table(w io.Writer) error {
	if !n.Logged {
		_, err := fmt.Fprintln(w, "none: no server with pg_tde archived here, so its WAL needs no keys but the archive's own")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "", "for", "principal key", "provider", "where", "because")
	for i, k := range n.Keys {
		row(t, strconv.Itoa(i+1), k.Scope.String(), strconv.Quote(k.Key), provider(k), orUnknown(k.Location), because(k))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, u := range n.Unknown {
		if _, err := fmt.Fprintf(w, "NOT KNOWN: %s\n", u); err != nil {
			return err
		}
	}
	return nil
}

func provider(k archive.NeededKey) string {
	if k.Provider == "" {
		return fmt.Sprintf("%d, not known", k.ProviderID)
	}
	return fmt.Sprintf("%s (%s)", k.Provider, k.Type)
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

func because(k archive.NeededKey) string { return fmt.Sprintf("%s, %v", k.Because, k.At) }
