package walarchive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/cmd/internal/agent"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/keys"
	"walarchive/storage"
)

func pushCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:        "push",
		Usage:       "archive one WAL file: archive_command = 'walarchive push %p'",
		ArgsUsage:   "PATH",
		Description: "Succeeds only when the file is durable in the store.",
		Flags:       command.ConfigFlags(),
		Action: func(c *cli.Context) error {
			command.Brief()
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
	ctx, _ = storage.WithTally(ctx)
	d, err := s.DataDir(path)
	if err != nil {
		return err
	}
	done, err := agent.Push(ctx, s, d, path)
	if errors.Is(err, queue.ErrNoAnswer) {
		done, err = pushAlone(ctx, s, d, path)
	}
	if err != nil {
		return timedOut(err, s.Config.Push.Timeout)
	}
	session.LogPush(s.Log, filepath.Base(path), done, time.Since(begin))
	return nil
}

// keyPatience is how long a push asks a key service again that gives no answer.
// PostgreSQL repeats the call, and says in its log what is wrong, only when this
// one has ended.
const keyPatience = 5 * time.Second

// pushAlone pushes without an agent. It repeats what fails for want of a key
// service; calls of the store are repeated below it.
func pushAlone(ctx context.Context, s *session.Session, d *archive.DataDir, path string) (*archive.Pushed, error) {
	end := time.Now().Add(keyPatience)
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		done, err := pushOnce(ctx, s, d, path)
		again := pause/2 + rand.N(pause) // servers that failed together do not try again together
		if !errors.Is(err, keys.ErrUnavailable) || time.Now().Add(again).After(end) {
			return done, err
		}
		s.Log.Info("a principal key cannot be had; trying again", "file", filepath.Base(path), "in", again, "error", err)
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(again):
		}
	}
}

func pushOnce(ctx context.Context, s *session.Session, d *archive.DataDir, path string) (*archive.Pushed, error) {
	a, err := s.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	return a.Push(ctx, d, path)
}

// timedOut says which limit it was that ended a push.
func timedOut(err error, limit time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return command.WithHint(fmt.Errorf("not done within push.timeout, %v: %w", limit, err), "PostgreSQL tries again by itself; is the store slow or out of reach?")
	}
	return err
}
