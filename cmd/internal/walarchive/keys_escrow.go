package walarchive

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

func keysEscrow(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "escrow",
		Usage: "who can open the archive without any principal key",
		Subcommands: []*cli.Command{
			{
				Name:      "add",
				Usage:     "wrap every epoch to an age recipient, and all that come",
				ArgsUsage: "RECIPIENT",
				Description: "RECIPIENT is the public line (age1…) that age-keygen prints. Its identity, the secret half, belongs\n" +
					"into a safe and on no host: it opens all of the archive.",
				Flags:  append(command.ConfigFlags(), command.JSONFlag()),
				Action: keysAction(p, escrowAdd, "RECIPIENT"),
			},
			keysRead(p, "list", "show the recipients, and the epochs that each can open", listEscrow),
			{
				Name:      "remove",
				Usage:     "wrap nothing to an age recipient any more",
				ArgsUsage: "RECIPIENT",
				Description: "Opens a new epoch under the same principal key. What was sealed before, the recipient's identity\n" +
					"still opens.",
				Flags:  append(command.ConfigFlags(), command.JSONFlag()),
				Action: keysAction(p, escrowRemove, "RECIPIENT"),
			},
		},
	}
}

// held says what a recipient's identity opens.
type held struct {
	Recipient escrow.Recipient `json:"recipient"`
	Current   bool             `json:"current"` // epochs to come will be wrapped to it
	Opens     []int            `json:"opens"`   // epochs
	Missing   []int            `json:"missing"` // those that it does not open
}

func holding(a *archive.Archive, r escrow.Recipient, current bool) held {
	h := held{Recipient: r, Current: current, Opens: []int{}, Missing: []int{}}
	for _, e := range a.Epochs() {
		if e.InEscrow(r) {
			h.Opens = append(h.Opens, e.Number)
		} else {
			h.Missing = append(h.Missing, e.Number)
		}
	}
	return h
}

func (k *keysCall) recipient() (escrow.Recipient, error) {
	r, err := escrow.ParseRecipient(k.operands[0])
	if err != nil {
		return "", command.Usagef(k.Command.HelpName, "%w", err)
	}
	return r, nil
}

func escrowAdd(k *keysCall) error {
	r, err := k.recipient()
	if err != nil {
		return err
	}
	a, err := k.open()
	if err != nil {
		return err
	}
	if err := a.AddEscrow(k.Context.Context, r); err != nil {
		return err
	}
	h := holding(a, r, true)
	if err := k.print(h, "%s opens the epochs %s, and all that come\nanchor: %v\nKeep the anchor with the identity: without it nobody can tell this archive from a forgery.\n", r, numbers(h.Opens), a.Anchor()); err != nil {
		return err
	}
	if len(h.Missing) > 0 {
		return command.WithHint(fmt.Errorf("the epochs %s are NOT in escrow: no principal key opens them here", numbers(h.Missing)),
			"run the same again where one does; walarchive keys list shows which")
	}
	return nil
}

func escrowRemove(k *keysCall) error {
	r, err := k.recipient()
	if err != nil {
		return err
	}
	a, err := k.open()
	if err != nil {
		return err
	}
	if err := a.RemoveEscrow(k.Context.Context, r); err != nil {
		return command.WithHint(err, "walarchive keys escrow list shows the recipients")
	}
	h := holding(a, r, false)
	return k.print(h, "epoch %d is open, and %s does not open it\nIt still opens the epochs %s.\n", openEpoch(a).Number, r, numbers(h.Opens))
}

// escrows are the recipients that can open anything.
type escrows []held

func listEscrow(_ *cli.Context, _ *session.Session, a *archive.Archive) (listing, error) {
	l := escrows{}
	current := map[escrow.Recipient]bool{}
	for _, r := range a.Escrow() {
		current[r] = true
		l = append(l, holding(a, r, true))
	}
	for _, e := range a.Epochs() {
		for _, r := range e.Recipients() {
			if _, seen := current[r]; !seen {
				current[r] = false
				l = append(l, holding(a, r, false))
			}
		}
	}
	return l, nil
}

func (l escrows) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "recipient", "opens epochs", "later ones")
	for _, h := range l {
		note := "yes"
		switch {
		case !h.Current:
			note = "no: removed"
		case len(h.Missing) > 0:
			note = "yes, but NOT " + numbers(h.Missing)
		}
		row(t, string(h.Recipient), numbers(h.Opens), note)
	}
	return t.Flush()
}

func keysRecover(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "recover",
		Usage: "hand the archive over to a new principal key, when the old ones are gone",
		Description: "Opens a new epoch under the principal key NAME and wraps all older epochs with it that open here, by\n" +
			"the escrow identity or by what is left of the principal keys. What is stored stays as it is.",
		Flags: append(append(command.ConfigFlags(), command.RecoveryFlags()...),
			&cli.StringFlag{Name: "to", Usage: "`NAME` or PROVIDER/NAME of the principal key to hand it to"},
			&cli.BoolFlag{Name: "create-key", Usage: "make that key, if it is not there"},
			command.JSONFlag()),
		Action: keysAction(p, recoverKeys),
	}
}

func recoverKeys(k *keysCall) error {
	to, err := k.flagRef("to")
	if err != nil {
		return err
	}
	a, err := k.open() // before a key is made: it may not be this archive
	if err != nil {
		return err
	}
	if err := k.createKey(to); err != nil {
		return err
	}
	if err := a.Recover(k.Context.Context, to); err != nil {
		return err
	}
	part := principalPart{to, a.Retired(to), epochsOf(a, to), a.Sole(to)}
	if err := k.print(part, "epoch %d is open, under %v, which opens the epochs %s\nSet %s on every host.\n", openEpoch(a).Number, to, numbers(part.Opens), k.settings(to)); err != nil {
		return err
	}
	return missingEpochs(a, to)
}

// missingEpochs is an error if r does not open all epochs.
func missingEpochs(a *archive.Archive, r keys.Ref) error {
	var missing []int
	opens := epochsOf(a, r)
	for _, e := range a.Epochs() {
		if len(opens) > 0 && opens[0] == e.Number {
			opens = opens[1:]
			continue
		}
		missing = append(missing, e.Number)
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("nothing here opens the epochs %s: what was sealed under them stays closed", numbers(missing))
}
