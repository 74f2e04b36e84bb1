package walarchive

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/keys"
)

func initCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "make the archive of a cluster",
		Description: "Makes the archive for the cluster in the data directory and prints its anchor: keep that,\n" +
			"it tells this archive from any other. Running it again is safe.",
		Flags: append(command.ConfigFlags(),
			&cli.BoolFlag{Name: "create-key", Usage: "make the principal key too, if it is not there"},
			&cli.BoolFlag{Name: "next", Usage: "go on in the same archive after pg_upgrade, initdb or a new segment size"},
			command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			if err := runInit(c, p); err != nil {
				return fmt.Errorf("init: %w", err)
			}
			return nil
		},
	}
}

func runInit(c *cli.Context, p command.Process) error {
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	d, err := s.DataDir("")
	if err != nil {
		return err
	}
	a, err := makeArchive(c.Context, s, d, c.Bool("create-key"), c.Bool("next"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(c.App.Writer, struct {
			Anchor   keys.Anchor `json:"anchor"`
			SystemID uint64      `json:"system_id,string"`
		}{a.Anchor(), d.Control.SystemID})
	}
	_, err = fmt.Fprintf(c.App.Writer, "anchor: %v\nKeep it with your recovery notes, and set keys.anchor to it on every host: it tells this archive from any other.\n", a.Anchor())
	return err
}

func makeArchive(ctx context.Context, s *session.Session, d *archive.DataDir, createKey, next bool) (*archive.Archive, error) {
	ring, err := s.Ring()
	if err != nil {
		return nil, err
	}
	if createKey {
		if err := ring.Create(ctx, s.Principal()); err != nil && !errors.Is(err, keys.ErrKeyExists) {
			return nil, err
		}
	}
	b, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	o, err := s.Options(d)
	if err != nil {
		return nil, err
	}
	return archive.Init(ctx, s.Patient(b), ring, s.Principal(), d, next, o)
}
