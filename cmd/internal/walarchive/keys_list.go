package walarchive

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/session"
	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

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
