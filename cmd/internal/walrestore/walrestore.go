// Package walrestore is the program walrestore: it brings WAL back. PostgreSQL
// calls it as
//
//	restore_command = 'walrestore get %f "%p"'
//
// Its exit code is an answer that PostgreSQL acts on: 0, the file is there; 1
// (as anything to 125), there is no such file, which ends a recovery; above
// 125, stop the recovery. So every failure is 200, down to a misspelled
// command, and 1 is said only by get, and only when it is known to be so.
package walrestore

import (
	"context"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/tdecmd"
)

const name = "walrestore"

// Exit codes other than 0.
const (
	exitAbsent = 1
	exitFailed = 200
)

// Run is the program.
func Run(ctx context.Context, p command.Process) int {
	return command.Program{
		Name:     name,
		Usage:    "bring PostgreSQL's WAL back from the archive",
		Failure:  failure,
		Commands: commands(p),
	}.Run(ctx, p)
}

func failure(string) int { return exitFailed }

func commands(p command.Process) []*cli.Command {
	return []*cli.Command{
		getCommand(p),
		tdecmd.Group("work for a server with pg_tde, without an archive", tdecmd.Encrypt(p)),
	}
}
