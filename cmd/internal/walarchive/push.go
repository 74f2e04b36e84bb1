package walarchive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

func pushCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:        "push",
		Usage:       "archive one WAL file: archive_command = 'walarchive push %p'",
		ArgsUsage:   "PATH",
		Description: "Succeeds only when the file is durable in the store.",
		Flags:       command.ConfigFlags(),
		Action: func(c *cli.Context) error {
			args, err := command.Operands(c, "PATH")
			if err != nil {
				return err
			}
			if err := push(c, p, args[0]); err != nil {
				return fmt.Errorf("push %s: %w", filepath.Base(args[0]), err)
			}
			return nil
		},
	}
}

func push(c *cli.Context, p command.Process, path string) error {
	begin := time.Now()
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, s.Config.Push.Timeout)
	defer cancel()
	d, err := s.DataDir(path)
	if err != nil {
		return err
	}
	a, err := s.Open(ctx, d)
	if err != nil {
		return timedOut(err, s.Config.Push.Timeout)
	}
	done, err := a.Push(ctx, d, path)
	if err != nil {
		return timedOut(err, s.Config.Push.Timeout)
	}
	logPush(s.Log, filepath.Base(path), done, time.Since(begin))
	return nil
}

// timedOut says which limit it was that ended a push.
func timedOut(err error, limit time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return command.WithHint(fmt.Errorf("not done within push.timeout, %v: %w", limit, err), "PostgreSQL tries again by itself; is the store slow or out of reach?")
	}
	return err
}

func logPush(log *slog.Logger, name string, done *archive.Pushed, took time.Duration) {
	for _, w := range done.Warnings {
		log.Warn(w, "file", name, "object", done.Object)
	}
	switch {
	case done.Quarantined:
		log.Warn("not archived: these bytes lie under quarantine", "file", name, "object", done.Object)
	case done.Already:
		log.Info("archived already", "file", name, "object", done.Object, "took", took)
	default:
		log.Info("archived", "file", name, "object", done.Object, "bytes", done.Plain, "stored", done.Sealed, "took", took)
	}
}
