package walarchive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

func keysExport(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "write one file for the safe: which archive, where, who opens it, the key chain",
		Description: "Holds no secret. With --recipient every epoch key stands in it too, wrapped to that age recipient\n" +
			"and to nobody else; the archive itself does not change.",
		Flags: append(append(command.ConfigFlags(), command.RecoveryFlags()...),
			&cli.StringFlag{Name: "out", Usage: "write a new `FILE` instead of standard output"},
			&cli.StringSliceFlag{Name: "recipient", Usage: "wrap the epoch keys to the age recipient `RECIPIENT`; may be repeated"}),
		Action: keysAction(p, exportKeys),
	}
}

func exportKeys(k *keysCall) error {
	var to []escrow.Recipient
	for _, text := range k.StringSlice("recipient") {
		r, err := escrow.ParseRecipient(text)
		if err != nil {
			return command.Usagef(k.Command.HelpName, "--recipient: %w", err)
		}
		to = append(to, r)
	}
	a, err := k.open()
	if err != nil {
		return err
	}
	x, err := a.Export(k.Context.Context, to)
	if err != nil {
		return err
	}
	if err := k.complete(x); err != nil {
		return err
	}
	if out := k.String("out"); out != "" {
		return writeNew(out, x.Encode)
	}
	return x.Encode(k.App.Writer)
}

// complete adds to an export where the store and the keys are.
func (k *keysCall) complete(x *keys.Export) error {
	x.Storage, x.Cluster = k.Config.Storage.URL, k.Config.Cluster.Name
	ring, err := k.Ring()
	if err != nil {
		return err
	}
	for i := range x.Principals {
		e := &x.Principals[i]
		if k.Config.Keys.Providers[e.Provider] == nil {
			continue
		}
		p, err := k.Provider(e.Provider, k.Credential(e.Provider).Secret)
		if err != nil {
			return err
		}
		if s, ok := p.(fmt.Stringer); ok {
			e.Where = s.String()
		}
		if key, err := ring.Principal(k.Context.Context, e.Ref); err == nil {
			e.Fingerprint = key.Fingerprint()
		}
	}
	return nil
}

// writeNew writes a file that must not be there yet, durably.
func writeNew(name string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}

func keysImport(p command.Process) *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "open an archive with nothing but the store and a file that keys export wrote",
		ArgsUsage: "FILE",
		Description: "Compares the key chain in the store with that in FILE, puts back what is missing, and prints the\n" +
			"configuration for this host. What the configuration says already counts more than FILE.",
		Flags:  append(append(command.ConfigFlags(), command.RecoveryFlags()...), command.JSONFlag()),
		Action: importKeys(p),
	}
}

func importKeys(p command.Process) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := command.Operands(c, "FILE")
		if err != nil {
			return err
		}
		x, err := session.ReadExport(args[0])
		if err == nil {
			k := &keysCall{Context: c, p: p}
			if k.Session, err = session.StartFrom(c, p, x); err == nil {
				err = k.importFrom(x)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", called(c), err)
		}
		return nil
	}
}

// imported is what came of an import.
type imported struct {
	Anchor  keys.Anchor `json:"anchor"`
	Entries int         `json:"entries"`
	PutBack int         `json:"put_back"`
	Opened  bool        `json:"opened"`
	Epochs  int         `json:"epochs,omitempty"`
}

func (k *keysCall) importFrom(x *keys.Export) error {
	ctx := k.Context.Context
	want, err := keys.ParseAnchor(k.Config.Keys.Anchor)
	if err != nil {
		return err
	}
	if x.Anchor != want {
		return &keys.AnchorError{Want: want, Got: x.Anchor}
	}
	b, err := k.Bucket(ctx)
	if err != nil {
		return err
	}
	done := imported{Anchor: x.Anchor, Entries: len(x.Chain)}
	if done.PutBack, err = archive.PutBack(ctx, k.Patient(b), x.Entries()); err != nil {
		return err
	}
	a, failed := k.open()
	if failed == nil {
		done.Opened, done.Entries, done.Epochs = true, len(a.Chain()), len(a.Epochs())
	}
	if err := k.print(done, "%s", k.importText(x, done)); err != nil {
		return err
	}
	if failed != nil {
		return command.WithHint(fmt.Errorf("it does not open here: %w", failed),
			"bring one of the principal keys above, or an escrow identity: --identity FILE")
	}
	return nil
}

// importText is the configuration for this host, with what is to be said in
// comments.
func (k *keysCall) importText(x *keys.Export, done imported) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	say("# exported %s on %s; the chain has %d entries here, of which %d were put back\n", x.Time.Format("2006-01-02 15:04Z"), x.Host, done.Entries, done.PutBack)
	say("[storage]\nurl = %q\n\n[cluster]\nname = %q\n\n[keys]\nanchor = %q\n", k.Config.Storage.URL, k.Config.Cluster.Name, k.Config.Keys.Anchor)
	for _, e := range x.Principals {
		say("# %v, %s%s, opens the epochs %s\n", e.Ref, placeText(e.Where), fingerprintText(e.Fingerprint), numbers(e.Opens))
	}
	for _, r := range x.Escrow {
		say("# in escrow to %s\n", r)
	}
	if newest := newestPrincipal(x); newest != nil {
		say("provider = %q\nprincipal = %q\n\n[keys.providers.%s]\n# %s\n", newest.Provider, newest.Key, newest.Provider, placeText(newest.Where))
	}
	return b.String()
}

// newestPrincipal is one that opens the newest epoch and may be used.
func newestPrincipal(x *keys.Export) *keys.Exported {
	var newest *keys.Exported
	for i, e := range x.Principals {
		if !e.Retired && (newest == nil || e.Opens[len(e.Opens)-1] >= newest.Opens[len(newest.Opens)-1]) {
			newest = &x.Principals[i]
		}
	}
	return newest
}

func placeText(where string) string {
	if where == "" {
		return "not configured where it was exported"
	}
	return where
}

func fingerprintText(f string) string {
	if f == "" {
		return ""
	}
	return ", fingerprint " + f
}
