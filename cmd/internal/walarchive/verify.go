package walarchive

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

func verifyCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "check that the archive is whole; exit 0 sound, 1 problems, 2 could not check",
		Flags: append(append(command.ConfigFlags(), command.RecoveryFlags()...),
			&cli.StringFlag{Name: "level", Value: "facts", Usage: "`LEVEL` of checking: names (a listing), facts (first frames too), full (every byte)"},
			&cli.StringFlag{Name: "format", Value: "text", Usage: "`FORMAT` of the report: text, json or junit"},
			&cli.StringFlag{Name: "from", Usage: "check from segment `SEG` on"},
			&cli.StringFlag{Name: "to", Usage: "check up to segment `SEG`"},
			&cli.IntFlag{Name: "sample", Usage: "look into one of `N` runs of 64 segments, other ones each day; names are all checked"}),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			return verify(c, p)
		},
	}
}

func verify(c *cli.Context, p command.Process) error {
	o := archive.VerifyOptions{From: c.String("from"), To: c.String("to"), Sample: c.Int("sample")}
	print, err := reportFormat(c.String("format"))
	if err == nil {
		o.Level, err = archive.ParseLevel(c.String("level"))
	}
	if err != nil {
		return command.Usagef(c.Command.HelpName, "verify: %w", err)
	}
	r, err := runVerify(c, p, o)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := print(r, c.App.Writer); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	switch {
	case !r.Sound():
		return command.WithCode(exitFailed, nil) // the report says what
	case len(r.Unchecked) > 0:
		return command.WithCode(exitUnverified, nil)
	}
	return nil
}

func runVerify(c *cli.Context, p command.Process, o archive.VerifyOptions) (*archive.Report, error) {
	s, err := session.Start(c, p)
	if err != nil {
		return nil, err
	}
	s.RolledBack = true
	if o.Accepted, err = acceptedGaps(s); err != nil {
		return nil, err
	}
	s.InBulk()
	a, err := s.Open(c.Context, nil)
	if err != nil {
		return nil, err
	}
	progress := command.NewProgress(p.Stderr, "verify")
	defer progress.End()
	o.Progress = func(objects int, bytes int64) { progress.Show("%d objects, %d MiB", objects, bytes>>20) }
	return a.Verify(c.Context, o)
}

// acceptedGaps are the gaps that the configuration says are known.
func acceptedGaps(s *session.Session) ([]archive.SegmentRange, error) {
	var gaps []archive.SegmentRange
	for _, text := range s.Config.Verify.AcceptedGaps {
		g, err := archive.ParseSegmentRange(text)
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, g)
	}
	return gaps, nil
}

func reportFormat(name string) (func(*archive.Report, io.Writer) error, error) {
	switch name {
	case "text":
		return (*archive.Report).Text, nil
	case "json":
		return (*archive.Report).JSON, nil
	case "junit":
		return (*archive.Report).JUnit, nil
	}
	return nil, fmt.Errorf("%q is no format: text, json or junit", name)
}
