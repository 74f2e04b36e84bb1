package walarchive

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/keys"
	keyproviders "walarchive/keys/all"
	"walarchive/keys/credential"
)

func keysCredential(p command.Process) *cli.Command {
	secret := &cli.StringFlag{Name: "kms-secret", Usage: "where the secret comes from: `-` is standard input"}
	return &cli.Command{
		Name:  "credential",
		Usage: "the sealed secret by which this host gets into a key service",
		Subcommands: []*cli.Command{
			credentialCommand(p, "set", "seal the secret for this host", setCredential, secret,
				&cli.StringFlag{Name: "with", Usage: "how: `host-key` or systemd", Value: string(credential.ByHostKey)},
				&cli.BoolFlag{Name: "no-test", Usage: "do not try it at the service first"}),
			credentialCommand(p, "test", "open the credential and try it at the service", testCredential),
			credentialCommand(p, "rotate", "put another secret in place of the one there is, once the service has taken it", rotateCredential, secret),
			credentialCommand(p, "show-status", "tell about the credentials of this host, without showing them", showCredentials, command.JSONFlag()),
		},
	}
}

func credentialCommand(p command.Process, name, usage string, run func(*cli.Context, command.Process, *session.Session) error, flags ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name:  name,
		Usage: usage,
		Flags: append(append(command.ConfigFlags(),
			&cli.StringFlag{Name: "provider", Usage: "`NAME` of the key provider; else keys.provider"}), flags...),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			s, err := session.Start(c, p)
			if err == nil {
				err = run(c, p, s)
			}
			if err != nil {
				return fmt.Errorf("keys credential %s: %w", name, err)
			}
			return nil
		},
	}
}

// place finds the credential that a command is about.
func place(c *cli.Context, s *session.Session) (*credential.Place, error) {
	name := c.String("provider")
	if name == "" {
		name = s.Config.Keys.Provider
	}
	if _, ok := s.Config.Keys.Providers[name]; !ok {
		return nil, fmt.Errorf("there is no key provider %s", name)
	}
	at := s.Credential(name)
	if at.File == "" {
		return nil, command.WithHint(fmt.Errorf("provider %s has no sealed credential", name),
			fmt.Sprintf("set keys.providers.%s.%s to the path where it is to lie", name, keyproviders.CredentialFile))
	}
	return at, nil
}

func setCredential(c *cli.Context, p command.Process, s *session.Session) error {
	at, err := place(c, s)
	if err != nil {
		return err
	}
	by := credential.Method(c.String("with"))
	if by != credential.ByHostKey && by != credential.BySystemd {
		return command.Usagef(c.Command.HelpName, "--with %q is neither %s nor %s", by, credential.ByHostKey, credential.BySystemd)
	}
	secret, err := readSecret(c, p)
	if err != nil {
		return err
	}
	defer clear(secret)
	if !c.Bool("no-test") {
		if err := try(c.Context, s, at, secret); err != nil {
			return err
		}
	}
	return seal(c, at, by, secret)
}

func rotateCredential(c *cli.Context, p command.Process, s *session.Session) error {
	at, err := place(c, s)
	if err != nil {
		return err
	}
	status, err := at.Status()
	if err != nil {
		return err
	}
	secret, err := readSecret(c, p)
	if err != nil {
		return err
	}
	defer clear(secret)
	if err := try(c.Context, s, at, secret); err != nil {
		return fmt.Errorf("the old credential stays: %w", err)
	}
	return seal(c, at, status.SealedBy, secret)
}

// try shows a secret to the service that it is for.
func try(ctx context.Context, s *session.Session, at *credential.Place, secret []byte) error {
	_, err := connect(ctx, s, at, func() ([]byte, error) { return slices.Clone(secret), nil })
	return err
}

func connect(ctx context.Context, s *session.Session, at *credential.Place, secret keys.Secret) ([]keys.Expiry, error) {
	provider, err := s.Provider(at.Provider, secret)
	if err != nil {
		return nil, err
	}
	checker, ok := provider.(keys.Checker)
	if !ok {
		return nil, fmt.Errorf("provider %s takes no credential", at.Provider)
	}
	return checker.Check(ctx)
}

func seal(c *cli.Context, at *credential.Place, by credential.Method, secret []byte) error {
	if err := at.Set(c.Context, by, secret, time.Now()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.App.Writer, "The credential of %s is sealed in %s.\n", at.Provider, at.File)
	if err == nil && by == credential.BySystemd {
		_, err = fmt.Fprintf(c.App.Writer, "Units that run walarchive, the server's among them, need:\n  [Service]\n  LoadCredentialEncrypted=walarchive-%s:%s\n", at.Provider, at.File)
	}
	return err
}

func testCredential(c *cli.Context, _ command.Process, s *session.Session) error {
	at, err := place(c, s)
	if err != nil {
		return err
	}
	ends, err := connect(c.Context, s, at, at.Secret)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.App.Writer, "The key service %s takes the credential.\n", at.Provider); err != nil {
		return err
	}
	for _, e := range ends {
		if _, err := fmt.Fprintf(c.App.Writer, "%s ends at %s\n", e.What, e.End.UTC().Format(time.RFC3339)); err != nil {
			return err
		}
	}
	return nil
}

// credentials are what show-status shows.
type credentials []credential.Status

func showCredentials(c *cli.Context, _ command.Process, s *session.Session) error {
	all := credentials{}
	for _, name := range slices.Sorted(maps.Keys(s.Config.Keys.Providers)) {
		at := s.Credential(name)
		if at.File == "" || c.IsSet("provider") && name != c.String("provider") {
			continue
		}
		status, _ := at.Status() // which tells the problem, too
		all = append(all, status)
	}
	if c.Bool("json") {
		return command.PrintJSON(c.App.Writer, all)
	}
	return all.table(c.App.Writer)
}

func (l credentials) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row(t, "provider", "file", "sealed by", "at", "state")
	for _, s := range l {
		at, state := "-", "opens"
		if !s.Time.IsZero() {
			at = s.Time.Format("2006-01-02 15:04:05Z")
		}
		if s.Loaded {
			state = "loaded by systemd"
		}
		if s.Problem != "" {
			state = s.Problem
		}
		row(t, s.Provider, s.File, string(s.SealedBy), at, state)
	}
	return t.Flush()
}

// readSecret reads a secret from standard input: a command line is seen by
// every user of the host. What is said instead of "-" is not repeated.
func readSecret(c *cli.Context, p command.Process) ([]byte, error) {
	if c.String("kms-secret") != "-" {
		return nil, command.Usagef(c.Command.HelpName, "--kms-secret - reads the secret from standard input; there is no other way")
	}
	return command.ReadSecret(c.Context, p, credential.MaxSecret)
}
