package command

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the linker: -X walarchive/cmd/internal/command.version=1.0.
var version string

// Version is the program's version: the one it was linked with, else what Go
// noted about the module.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func versionCommand(program string) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Flags: []cli.Flag{JSONFlag()},
		Action: func(c *cli.Context) error {
			if _, err := Operands(c); err != nil {
				return err
			}
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if !c.Bool("json") {
				_, err := fmt.Fprintf(c.App.Writer, "%s %s (%s %s)\n", program, Version(), runtime.Version(), platform)
				return err
			}
			return PrintJSON(c.App.Writer, struct {
				Program  string `json:"program"`
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{program, Version(), runtime.Version(), platform})
		},
	}
}
