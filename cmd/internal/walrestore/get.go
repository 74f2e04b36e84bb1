package walrestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/agent"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/config"
	"walarchive/cmd/internal/session"
	"walarchive/pitr"
)

func getCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:      "get",
		Usage:     "bring back one WAL file: restore_command = 'walrestore get %f \"%p\"'",
		ArgsUsage: "NAME DEST",
		Description: "Exit code 0: the file is at DEST, whole and verified. 1: the archive ends before it. 200: neither\n" +
			"is known, and PostgreSQL must not go on. A standby that streams is told 1 for 200: it needs no file.",
		Flags: append(append(command.ConfigFlags(), command.RecoveryFlags()...),
			&cli.StringFlag{Name: "timeline", Usage: "the timeline that the server follows: latest or `N` (restore.timeline)"},
			&cli.BoolFlag{Name: "partial", Usage: "serve the .partial when the complete segment is not there"}),
		Action: func(c *cli.Context) error {
			command.Brief()
			args, err := command.Operands(c, "NAME", "DEST")
			if err != nil {
				return err
			}
			if err := get(c, p, args[0], args[1]); err != nil {
				return fmt.Errorf("get %s: %w", args[0], err)
			}
			return nil
		},
	}
}

func get(c *cli.Context, p command.Process, name, dest string) error {
	begin := time.Now()
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	s.RolledBack = true
	o := archive.GetOptions{Timeline: s.Config.Restore.Timeline, Partial: c.Bool("partial")}
	if c.IsSet("timeline") {
		if o.Timeline, err = config.ParseTimeline(c.String("timeline")); err != nil {
			return command.Usagef(c.Command.HelpName, "--timeline: %w", err)
		}
	}
	d, err := s.DataDir(dest)
	if err != nil {
		return err
	}
	r := &pitr.Restorer{
		// Not with calls repeated: the restorer itself does that.
		Open:           func(ctx context.Context) (*archive.Archive, error) { return s.OpenOnce(ctx, d) },
		Dir:            d,
		Agent:          agent.Get(s, d),
		Get:            o,
		RetryFor:       s.Config.Restore.RetryFor,
		OnError:        pitr.OnError(s.Config.Restore.OnError),
		HistoryOnError: pitr.OnError(s.Config.Restore.HistoryOnError),
		Spool:          s.Config.Spool.Path,
		Cluster:        s.Config.Cluster.Name,
		Log:            s.Log,
	}
	got, outcome, err := r.Restore(c.Context, name, dest)
	if err == nil {
		session.LogGet(s.Log, name, got, time.Since(begin))
	}
	return answer(s.Log, name, outcome, err)
}

// answer turns an outcome into the exit code that PostgreSQL reads. The plain
// end of the archive is no error: standbys ask for it every few seconds.
func answer(log *slog.Logger, name string, outcome pitr.Outcome, err error) error {
	switch outcome {
	case pitr.Delivered:
		return nil
	case pitr.Absent:
		if errors.Is(err, archive.ErrEnd) {
			log.Info("absent", "file", name, "reason", err)
			err = nil
		}
		return command.WithCode(exitAbsent, err)
	}
	return command.WithCode(exitFailed, err)
}
