package walarchive

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/keys"
)

// keysCall is one call of a command below keys.
type keysCall struct {
	*cli.Context
	*session.Session
	p        command.Process
	operands []string
}

// keysAction makes a command's action of do; operands are the names of what it
// takes besides flags.
func keysAction(p command.Process, do func(*keysCall) error, operands ...string) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := command.Operands(c, operands...)
		if err != nil {
			return err
		}
		k := &keysCall{Context: c, p: p, operands: args}
		k.Session, err = session.Start(c, p)
		if err == nil {
			err = do(k)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", called(c), err)
		}
		return nil
	}
}

// called is the path of the command, such as "keys escrow add".
func called(c *cli.Context) string { return strings.TrimPrefix(c.Command.HelpName, name+" ") }

func (k *keysCall) open() (*archive.Archive, error) { return k.Session.Open(k.Context.Context, nil) }

// flagRef is the principal key that a flag names. The flag must be given.
func (k *keysCall) flagRef(flag string) (keys.Ref, error) {
	if k.String(flag) == "" {
		return keys.Ref{}, command.Usagef(k.Command.HelpName, "--%s is missing", flag)
	}
	return k.parseRef(k.String(flag))
}

// parseRef reads a principal key: PROVIDER/NAME, or NAME for keys.provider.
func (k *keysCall) parseRef(s string) (keys.Ref, error) {
	r, err := keys.ParseRef(s, k.Config.Keys.Provider)
	if err != nil {
		return keys.Ref{}, command.Usagef(k.Command.HelpName, "%w", err)
	}
	return r, nil
}

// createKey makes the principal key r if --create-key asks for it and it is not
// there.
func (k *keysCall) createKey(r keys.Ref) error {
	if !k.Bool("create-key") {
		return nil
	}
	ring, err := k.Ring()
	if err != nil {
		return err
	}
	if err := ring.Create(k.Context.Context, r); err != nil && !errors.Is(err, keys.ErrKeyExists) {
		return err
	}
	return nil
}

// print shows what came of the call: v as JSON, or the text.
func (k *keysCall) print(v any, format string, args ...any) error {
	if k.Bool("json") {
		return command.PrintJSON(k.App.Writer, v)
	}
	_, err := fmt.Fprintf(k.App.Writer, format, args...)
	return err
}

// principals are the principal keys that open anything, each once, with the
// fingerprints of those that can be had here.
func (k *keysCall) principals(a *archive.Archive) ([]principal, error) {
	ring, err := k.Ring()
	if err != nil {
		return nil, err
	}
	all := []principal{}
	seen := map[keys.Ref]bool{}
	for _, e := range a.Epochs() {
		for _, p := range describeEpoch(e).Principals {
			if seen[p.Ref] {
				continue
			}
			seen[p.Ref] = true
			p.Retired = a.Retired(p.Ref)
			if key, err := ring.Principal(k.Context.Context, p.Ref); err == nil {
				p.Fingerprint = key.Fingerprint()
			}
			all = append(all, p)
		}
	}
	return all, nil
}
