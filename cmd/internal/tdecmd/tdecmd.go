// Package tdecmd has the commands that work on pg_tde's files directly, without
// an archive: tde inspect and tde decrypt of walarchive, tde encrypt of
// walrestore.
package tdecmd

import (
	"errors"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/config"
	"walarchive/cmd/internal/tdekeys"
	"walarchive/crypt/tde"
)

// Group is the command tde with the given ones below it.
func Group(usage string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{Name: "tde", Usage: usage, Subcommands: commands}
}

func flags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "pg-tde", Usage: "the server's key directory, `DIR`: pg_tde or open_pg_tde in its data directory"},
		&cli.StringSliceFlag{Name: "map", Usage: "path prefix in the server's provider options, and where it is here: `FROM=TO`"},
		&cli.StringSliceFlag{Name: "provider", Usage: "option of the server's provider that differs here, as in [tde.providers.NAME]: `NAME.OPTION=VALUE`"},
	}, more...)
}

// openKeys opens the key directory that the flags name.
func openKeys(c *cli.Context) (*tde.Keys, error) {
	path := c.String("pg-tde")
	if path == "" {
		return nil, command.Usagef(c.Command.HelpName, "%s: --pg-tde is missing", c.Command.HelpName)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	moved, err := config.ParseMap(c.StringSlice("map"))
	if err != nil {
		return nil, command.Usagef(c.Command.HelpName, "--map: %w", err)
	}
	overrides, err := config.ParseOverrides(c.StringSlice("provider"))
	if err != nil {
		return nil, command.Usagef(c.Command.HelpName, "--provider: %w", err)
	}
	dir, err := tde.Open(path)
	if err != nil {
		return nil, err
	}
	host := tdekeys.Host{PGData: filepath.Dir(path), Map: moved, Overrides: overrides}
	return tde.NewKeys(dir, host.Fetch), nil
}

// Inspect is tde inspect.
func Inspect() *cli.Command {
	return &cli.Command{
		Name:  "inspect",
		Usage: "describe a server's key directory, and try its keys",
		Flags: flags(command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			k, err := openKeys(c)
			if err != nil {
				return err
			}
			r := k.Inspect(c.Context)
			if c.Bool("json") {
				err = command.PrintJSON(c.App.Writer, r)
			} else {
				err = r.Print(c.App.Writer)
			}
			if err == nil && len(r.Problems) > 0 {
				err = errors.New("tde inspect: WAL cannot be read with these keys; see the problems above")
			}
			return err
		},
	}
}

// Decrypt is tde decrypt.
func Decrypt(p command.Process) *cli.Command {
	return &cli.Command{
		Name:        "decrypt",
		Usage:       "decrypt one WAL file",
		ArgsUsage:   "NAME SRC DST",
		Description: "Decrypts SRC, the WAL file that the server knows as NAME, into the new file DST.\nDST is WAL in plaintext. It appears only complete and checked, and is never overwritten.",
		Flags:       flags(),
		Action:      func(c *cli.Context) error { return convert(c, p, false) },
	}
}

// Encrypt is tde encrypt.
func Encrypt(p command.Process) *cli.Command {
	return &cli.Command{
		Name:        "encrypt",
		Usage:       "encrypt one WAL file as the server expects it",
		ArgsUsage:   "NAME SRC DST",
		Description: "Encrypts SRC, the WAL file NAME in plaintext, into the new file DST.\nDST appears only complete and checked, and is never overwritten.",
		Flags:       flags(),
		Action:      func(c *cli.Context) error { return convert(c, p, true) },
	}
}
