package walarchive

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

func keysCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "keys",
		Usage: "the archive's keys",
		Subcommands: []*cli.Command{
			keysRead(p, "list", "show the epochs and the principal keys that open them", listEpochs),
			keysHistory(p),
			keysNeeded(p),
			keysAudit(p),
			keysRotate(p),
			keysRewrap(p),
			keysRetire(p),
			keysEscrow(p),
			keysRecover(p),
			keysExport(p),
			keysImport(p),
			keysCheck(p),
			keysCredential(p),
		},
	}
}

// A listing is what a command of keys shows, as JSON or as a table.
type listing interface {
	table(w io.Writer) error
}

func keysRead(p command.Process, name, usage string, list func(*cli.Context, *session.Session, *archive.Archive) (listing, error)) *cli.Command {
	return &cli.Command{
		Name:  name,
		Usage: usage,
		Flags: append(append(command.ConfigFlags(), command.RecoveryFlags()...), command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			if err := show(c, p, list); err != nil {
				return fmt.Errorf("%s: %w", called(c), err)
			}
			return nil
		},
	}
}

func show(c *cli.Context, p command.Process, list func(*cli.Context, *session.Session, *archive.Archive) (listing, error)) error {
	s, err := session.Start(c, p)
	if err != nil {
		return err
	}
	a, err := s.Open(c.Context, nil)
	if err != nil {
		return err
	}
	l, err := list(c, s, a)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(c.App.Writer, l)
	}
	return l.table(c.App.Writer)
}

// epoch describes an epoch of the archive.
type epoch struct {
	Number     int                `json:"number"`
	ID         string             `json:"id"`
	Principals []principal        `json:"principals"`
	Escrow     []escrow.Recipient `json:"escrow,omitempty"`
	Missing    []string           `json:"missing,omitempty"` // principal keys that cannot be had here, and why
}

// principal names a principal key. The fingerprint, of a key that was asked
// for and came, tells it from another of the same name.
type principal struct {
	keys.Ref
	Fingerprint string `json:"fingerprint,omitempty"`
	Retired     bool   `json:"retired,omitempty"`
}

func (p principal) String() string {
	text := p.Ref.String()
	if p.Fingerprint != "" {
		text += " (fingerprint " + p.Fingerprint + ")"
	}
	if p.Retired {
		text += " (retired)"
	}
	return text
}

func describeEpoch(e keys.Epoch) epoch {
	d := epoch{Number: e.Number, ID: e.ID().String(), Principals: []principal{}, Escrow: e.Recipients()}
	for _, w := range e.Wraps() {
		d.Principals = append(d.Principals, principal{Ref: keys.Ref{Provider: w.Provider, Key: w.Key}})
	}
	return d
}

type epochs []epoch

func listEpochs(c *cli.Context, s *session.Session, a *archive.Archive) (listing, error) {
	return askEpochs(c.Context, s, a)
}

// askEpochs asks for every principal key: one that is gone shows before it is
// needed.
func askEpochs(ctx context.Context, s *session.Session, a *archive.Archive) (epochs, error) {
	ring, err := s.Ring()
	if err != nil {
		return nil, err
	}
	var l epochs
	for _, e := range a.Epochs() {
		d := describeEpoch(e)
		for i, w := range e.Wraps() {
			d.Principals[i].Retired = a.Retired(d.Principals[i].Ref)
			if err := d.Principals[i].ask(ctx, ring, w, a.Anchor().Archive, e); err != nil {
				d.Missing = append(d.Missing, err.Error())
			}
		}
		if len(s.Identities) > 0 && !ring.TakesOut(e) {
			d.Missing = append(d.Missing, "it is not in escrow for this identity")
		}
		l = append(l, d)
	}
	return l, nil
}

// ask reports why p does not open the epoch that w wraps. Of a key that never
// leaves its service there is no fingerprint.
func (p *principal) ask(ctx context.Context, ring *keys.Ring, w crypt.Wrap, archive crypt.ID, e keys.Epoch) error {
	if w.Kind == crypt.WrapLocal {
		k, err := ring.Principal(ctx, p.Ref)
		if err != nil {
			return err
		}
		p.Fingerprint = k.Fingerprint()
	}
	return ring.Opens(ctx, w, archive, e)
}

func (l epochs) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "epoch", "id", "principal keys")
	for _, e := range l {
		row(t, fmt.Sprint(e.Number), e.ID, joinTexts(e.Principals)+inEscrow(e.Escrow))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, e := range l {
		for _, m := range e.Missing {
			if _, err := fmt.Fprintf(w, "epoch %d: NOT AVAILABLE: %s\n", e.Number, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func inEscrow(to []escrow.Recipient) string {
	if len(to) == 0 {
		return ""
	}
	return fmt.Sprintf("; in escrow to %d", len(to))
}

// chain is the key chain as it stands.
type chain []keys.Entry

func (l chain) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "entry", "time", "host", "what")
	for _, e := range l {
		row(t, fmt.Sprint(e.Number), e.Time.Format("2006-01-02 15:04:05Z"), e.Host, describeEntry(e))
	}
	return t.Flush()
}

func describeEntry(e keys.Entry) string {
	var what []string
	if e.Archive != nil {
		what = append(what, "archive "+e.Archive.String())
	}
	if e.Epoch != nil {
		what = append(what, fmt.Sprintf("opens epoch %d under %s", e.Epoch.Number, wrapRefs(e.Epoch)))
	}
	for _, w := range e.Wraps {
		what = append(what, fmt.Sprintf("wraps epoch %d with %s", w.Number, wrapRefs(&w)))
	}
	for _, r := range e.Retire {
		what = append(what, "retires "+r.String())
	}
	for _, r := range e.Escrow {
		what = append(what, "puts into escrow to "+string(r))
	}
	for _, r := range e.Dismiss {
		what = append(what, "ends the escrow to "+string(r))
	}
	if e.Data != nil {
		what = append(what, string(e.Data))
	}
	return strings.Join(what, "; ")
}

func wrapRefs(e *keys.EpochWraps) string {
	var refs []keys.Ref
	for _, w := range e.Wraps {
		refs = append(refs, keys.Ref{Provider: w.Provider, Key: w.Key})
	}
	return joinTexts(refs)
}

func joinTexts[T fmt.Stringer](list []T) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = s.String()
	}
	return strings.Join(all, ", ")
}

// row adds a row to a table, whose Flush reports any error.
func row(t *tabwriter.Writer, cells ...string) {
	_, _ = fmt.Fprintln(t, strings.Join(cells, "\t"))
}
