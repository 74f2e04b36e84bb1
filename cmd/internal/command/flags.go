package command

import (
	"slices"

	"github.com/urfave/cli/v2"
)

// Names of the flags that every command with a configuration takes, and the
// programs themselves in front of the command.
const (
	configFlag = "config"
	setFlag    = "set"
)

// ConfigFlags are the flags behind ConfigArgs.
func ConfigFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: configFlag, Usage: "read the configuration from `FILE`"},
		&cli.StringSliceFlag{Name: setFlag, Usage: "override one setting, `KEY=VALUE` with the key as in the file"},
	}
}

// Names of the flags for who has no principal key.
const (
	IdentityFlag   = "identity"
	ExportFlag     = "export"
	UnanchoredFlag = "trust-unanchored"
)

// RecoveryFlags are the flags of commands that read an archive, for when its
// principal keys are gone.
func RecoveryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: IdentityFlag, Usage: "open with the escrow identity in `FILE`, as age-keygen wrote it"},
		&cli.StringFlag{Name: ExportFlag, Usage: "take from `FILE`, as keys export wrote it, what the configuration does not say"},
		&cli.BoolFlag{Name: UnanchoredFlag, Usage: "believe what only the escrow identity opens though no anchor is set"},
	}
}

// ConfigArgs is what the flags say about the configuration.
type ConfigArgs struct {
	File string   // empty: not said
	Set  []string // KEY=VALUE, later ones win
}

// ConfigFromFlags collects the flags on all levels of the command line; those
// next to the command win.
func ConfigFromFlags(c *cli.Context) ConfigArgs {
	var a ConfigArgs
	levels := c.Lineage()
	for _, level := range slices.Backward(levels) {
		if level.Command == nil {
			continue // the root above the program itself
		}
		if level.IsSet(configFlag) {
			a.File = level.String(configFlag)
		}
		if level.IsSet(setFlag) {
			a.Set = append(a.Set, level.StringSlice(setFlag)...)
		}
	}
	return a
}
