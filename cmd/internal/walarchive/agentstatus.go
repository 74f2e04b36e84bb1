package walarchive

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/agent"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

func agentStatusCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "show what the agent has done and what waits",
		Description: "Of the agent of one data directory: cluster.pgdata, or the working directory.",
		Flags:       append(command.ConfigFlags(), command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			s, err := session.Start(c, p)
			if err != nil {
				return err
			}
			d, err := s.DataDir("")
			if err != nil {
				return err
			}
			status, err := agent.AskStatus(c.Context, s, d)
			if err != nil {
				return fmt.Errorf("agent status: %w", err)
			}
			if c.Bool("json") {
				return command.PrintJSON(c.App.Writer, status)
			}
			return printStatus(c.App.Writer, status, time.Now())
		},
	}
}

func printStatus(w io.Writer, s *agent.Status, now time.Time) error {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	ago := func(t time.Time) time.Duration { return now.Sub(t).Round(time.Second) }
	line("agent", "version %s, process %d, for %v, of %s", s.Version, s.PID, ago(s.Since), s.DataDir)
	if b := s.Backlog; b != nil {
		line("backlog", "%d files, %s, %v", b.Files, mebibytes(b.Bytes), time.Duration(b.Seconds*1e9).Round(time.Second))
	} else {
		line("backlog", "unknown: %s", s.BacklogError)
	}
	if s.Last != nil {
		line("archived", "%s up to %s, %v ago", s.Last.File, s.Last.LSN, ago(s.Last.Time))
	}
	if t := s.Trouble; t != nil {
		line("TROUBLE", "%s, %v ago: %s", t.File, ago(t.Time), t.Text)
	}
	n := s.Counts
	line("pushed", "%d files, %d of them ahead, %d were there; %s as %s", n.Archived, n.Ahead, n.Already, mebibytes(int64(n.Plain)), mebibytes(int64(n.Stored)))
	line("restored", "%d files, %s; %d asked for behind the end", n.Restored, mebibytes(int64(n.RestoredBytes)), n.Absent)
	line("prefetch", "%d at hand, %d on their way, %d not; holds %s in memory, %s in the spool", n.Hits, n.Joined, n.Missed, mebibytes(s.Memory), mebibytes(s.Spool))
	line("failures", "push: %s; restore: %s; calls of the store repeated: %d", kinds(n.PushFailures), kinds(n.RestoreFailures), n.Retries)
	for _, k := range s.Keys {
		line("keys", "%s: %s", k.Provider, cmp.Or(k.Error, "well"))
		for _, e := range k.Ends {
			line("", "%s ends %s", e.What, e.Time.UTC().Format(time.RFC3339))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func kinds(by map[string]uint64) string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%d %s", by[kind], kind))
	}
	return cmp.Or(strings.Join(all, ", "), "none")
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
