package walarchive

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/agent"
	"walarchive/cmd/internal/agent/metrics"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

func agentCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:        "agent",
		Usage:       "work ahead of PostgreSQL, and answer push over a socket",
		Subcommands: []*cli.Command{agentStatusCommand(p)},
		Description: "One to a data directory: cluster.pgdata, or the working directory. SIGHUP reads the\nconfiguration again, SIGTERM ends it when what is on its way has arrived.",
		Flags: append(command.ConfigFlags(),
			&cli.IntFlag{Name: "autostarted-by", Usage: "process `PID` started it, and it ends after agent.idle without a call"}),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			d := agent.Daemon{
				Load:      func() (*session.Session, error) { return session.Start(c, p) },
				StartedBy: c.Int("autostarted-by"),
				Metrics:   offerMetrics,
				Linger:    linger(p),
			}
			if err := d.Run(c.Context); err != nil {
				return fmt.Errorf("agent: %w", err)
			}
			return nil
		},
	}
}

func offerMetrics(address string, status func() *agent.Status, log *slog.Logger) (stop func()) {
	_, stop = metrics.Serve(address, status, log)
	return stop
}

func linger(p command.Process) func(time.Duration) {
	if p.Linger == nil {
		return func(time.Duration) {}
	}
	return p.Linger
}
