package command

import (
	"encoding/json"
	"io"
	"log/slog"

	"github.com/urfave/cli/v2"
)

// JSONFlag is the --json of every command that prints.
func JSONFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON"}
}

// PrintJSON prints v for programs, indented for people.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Logger writes log lines of at least level to w, as text or, if asJSON, as
// JSON.
func Logger(w io.Writer, level slog.Level, asJSON bool) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
