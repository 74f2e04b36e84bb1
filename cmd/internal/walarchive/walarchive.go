// Package walarchive is the program walarchive: it archives WAL and looks
// after the archive. PostgreSQL calls it as
//
//	archive_command = 'walarchive push %p'
//
// Every failure is exit code 1, upon which PostgreSQL tries again later; more
// than 125 would restart its archiver. Commands that check have a third answer:
// 1 says that there are problems, 2 that they could not check.
package walarchive

import (
	"context"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/tdecmd"
)

const name = "walarchive"

// Exit codes other than 0.
const (
	exitFailed     = 1
	exitUnverified = 2 // could not check
)

// Run is the program.
func Run(ctx context.Context, p command.Process) int {
	return command.Program{
		Name:     name,
		Usage:    "archive PostgreSQL's WAL, compressed, encrypted and authenticated",
		Failure:  failure,
		Commands: commands(p),
	}.Run(ctx, p)
}

func failure(command string) int {
	switch command {
	case "verify", "keys history rebuild", "keys audit":
		return exitUnverified
	}
	return exitFailed
}

func commands(p command.Process) []*cli.Command {
	return []*cli.Command{
		initCommand(p),
		pushCommand(p),
		agentCommand(p),
		checkCommand(p),
		infoCommand(p),
		verifyCommand(p),
		mirrorCommand(p),
		repairCommand(p),
		quarantineCommand(p),
		keysCommand(p),
		tdecmd.Group("look into a server with pg_tde, without an archive", tdecmd.Inspect(), tdecmd.Decrypt(p)),
	}
}
