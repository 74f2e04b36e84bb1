package walarchive

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/cmd/internal/command"
)

func keysHistory(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "history",
		Usage: "show the key chain, and what pg_tde did to its keys",
		Description: "The second table is the event log: records in the archived WAL, and what the server's key files\n" +
			"said at the time. Exit 1 if an entry of it is damaged, missing or another than it was.",
		Flags:       append(append(command.ConfigFlags(), command.RecoveryFlags()...), command.JSONFlag()),
		Action:      keysAction(p, showHistory),
		Subcommands: []*cli.Command{keysHistoryRebuild(p)},
	}
}

// keyHistory is all that the archive knows of keys.
type keyHistory struct {
	Chain    chain             `json:"chain"`
	Keys     []principal       `json:"principals"`
	Events   []keyEvent        `json:"events"`
	Problems []archive.Problem `json:"problems"`
}

// keyEvent is an event of pg_tde's as it is shown.
type keyEvent struct {
	Timeline wal.Timeline `json:"timeline"`
	LSN      wal.LSN      `json:"lsn"`
	Node     string       `json:"node"`
	What     string       `json:"what"`
}

func showHistory(k *keysCall) error {
	a, err := k.open()
	if err != nil {
		return err
	}
	log, err := a.EventLog(k.Context.Context)
	if err != nil {
		return err
	}
	named, err := k.principals(a)
	if err != nil {
		return err
	}
	h := keyHistory{Chain: a.Chain(), Keys: named, Events: []keyEvent{}, Problems: append([]archive.Problem{}, log.Problems...)}
	for i := range log.Events {
		e := &log.Events[i]
		h.Events = append(h.Events, keyEvent{e.At.Timeline, e.At.LSN, e.Node, e.String()})
	}
	if err := k.show(h); err != nil {
		return err
	}
	return log.Err()
}

// show prints a listing as JSON or as a table.
func (k *keysCall) show(l listing) error {
	if k.Bool("json") {
		return command.PrintJSON(k.App.Writer, l)
	}
	return l.table(k.App.Writer)
}

func (h keyHistory) table(w io.Writer) error {
	if err := h.Chain.table(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nprincipal keys: %s\n", joinTexts(h.Keys)); err != nil || len(h.Events) == 0 {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t)
	row(t, "timeline", "lsn", "node", "pg_tde")
	for _, e := range h.Events {
		row(t, e.Timeline.String(), e.LSN.String(), e.Node, e.What)
	}
	return t.Flush()
}

func keysHistoryRebuild(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "rebuild",
		Usage: "hold the event log against every archived segment, and write what it lacks",
		Description: "Reads the facts of every segment. A log whose entries are damaged or missing is written anew,\n" +
			"behind what is there; nothing is deleted. Exit 0: the log is whole, or is now; 1: it is not, and\n" +
			"--check was given; 2: could not tell.",
		Flags: append(command.ConfigFlags(),
			&cli.BoolFlag{Name: "check", Usage: "write nothing"},
			command.JSONFlag()),
		Action: keysAction(p, rebuildHistory),
	}
}

func rebuildHistory(k *keysCall) error {
	a, err := k.open()
	if err != nil {
		return err
	}
	run := a.RebuildHistory
	if k.Bool("check") {
		run = a.CheckHistory
	}
	r, err := run(k.Context.Context)
	if err != nil {
		return err
	}
	if err := k.show(historyReport{r}); err != nil {
		return err
	}
	switch {
	case !k.Bool("check"):
	case !r.Sound():
		return command.WithCode(exitFailed, nil)
	case len(r.Unchecked) > 0:
		return command.WithCode(exitUnverified, nil)
	}
	return nil
}

// historyReport is what rebuild found and did.
type historyReport struct{ *archive.HistoryCheck }

func (r historyReport) table(w io.Writer) error {
	for _, list := range []struct {
		word  string
		lines []string
	}{{"note", r.Notes}, {"NOT CHECKED", r.Unchecked}, {"PROBLEM", texts(r.Problems)}} {
		for _, line := range list.lines {
			if _, err := fmt.Fprintf(w, "%s: %s\n", list.word, line); err != nil {
				return err
			}
		}
	}
	verdict := "whole"
	if !r.Sound() {
		verdict = fmt.Sprintf("%d problems", len(r.Problems))
	}
	_, err := fmt.Fprintf(w, "event log of %d entries, %d events, held against %d objects: %s; %d events written\n",
		r.Entries, r.Events, r.Objects, verdict, r.Added)
	return err
}

func texts[T fmt.Stringer](list []T) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = s.String()
	}
	return all
}
