package walarchive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/keys"
)

func keysAudit(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "audit",
		Usage: "ask for every principal key, the archive's and pg_tde's, and say which may be destroyed; exit 0, 1, 2",
		Description: "Each key is fetched from its service and proven: on the epochs that it wraps, or on the signature\n" +
			"of a key file. Run it in the data directory of a server with pg_tde, or with cluster.pgdata set,\n" +
			"to have that server's key files looked at too. Exit 0: all keys that are needed are there; 1: one\n" +
			"is missing or wrong; 2: one could not be asked for.",
		Flags:  append(command.ConfigFlags(), command.JSONFlag()),
		Action: keysAction(p, audit),
	}
}

func audit(k *keysCall) error {
	d, err := k.serverAtHand()
	if err != nil {
		return err
	}
	a, err := k.Session.Open(k.Context.Context, d)
	if err != nil {
		return lostKey(err)
	}
	r, err := a.Audit(k.Context.Context, k.Principal(), d)
	if err != nil {
		return err
	}
	if err := auditServices(k.Context.Context, k.Session, r); err != nil {
		return err
	}
	if err := k.show(auditReport{r}); err != nil {
		return err
	}
	switch {
	case r.Failed():
		return command.WithCode(exitFailed, nil) // the report says why
	case r.Unsure():
		return command.WithCode(exitUnverified, nil)
	}
	return nil
}

// serverAtHand is the data directory that the configuration or the working
// directory names; nil if neither does.
func (k *keysCall) serverAtHand() (*archive.DataDir, error) {
	d, err := k.DataDir("")
	if errors.Is(err, archive.ErrDataDir) && k.Config.Cluster.PGData == "" {
		return nil, nil
	}
	return d, err
}

// lostKey gives an archive that does not open for want of its key the exit
// code of a key that is missing.
func lostKey(err error) error {
	var wrong *keys.WrongKeyError
	if (errors.Is(err, keys.ErrNoKey) || errors.As(err, &wrong)) && !errors.Is(err, keys.ErrUnavailable) {
		return command.WithCode(exitFailed, err)
	}
	return err
}

// auditServices warns of what the archive's own key services need and that
// comes to its end soon.
func auditServices(ctx context.Context, s *session.Session, r *archive.Audit) error {
	all, err := s.CheckProviders(ctx)
	if err != nil {
		return err
	}
	for _, h := range all {
		for _, e := range h.Ends {
			if left := time.Until(e.End); left < session.Soon {
				r.Warnings = append(r.Warnings, fmt.Sprintf("key provider %s: %s ends %s", h.Provider, e.What, e.End.UTC().Format(time.RFC3339)))
			}
		}
	}
	return nil
}

// auditReport prints an audit.
type auditReport struct{ *archive.Audit }

func (r auditReport) table(w io.Writer) error {
	p := &lines{w: w}
	for _, k := range r.Keys {
		p.key(k)
	}
	for _, s := range r.Warnings {
		p.line("WARNING: %s", s)
	}
	for _, s := range r.Problems {
		p.line("PROBLEM: %s", s)
	}
	for _, s := range r.NotLooked {
		p.line("not looked at: %s", s)
	}
	return p.err
}

// lines prints until something fails.
type lines struct {
	w   io.Writer
	err error
}

func (p *lines) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *lines) key(k archive.AuditedKey) {
	state := string(k.State)
	if (k.State == archive.KeyMissing || k.State == archive.KeyWrong) && !k.Harmless {
		state = strings.ToUpper(state)
	}
	name := fmt.Sprintf("%s/%s", k.Provider, k.Key)
	if k.Owner == archive.OwnerServer {
		name = fmt.Sprintf("%q in %s (%s) at %s", k.Key, k.Provider, k.Type, orUnknown(k.Location))
	}
	if k.Fingerprint != "" {
		name += " (fingerprint " + k.Fingerprint + ")"
	}
	p.line("%s: %s key %s: %s", state, k.Owner, name, k.Use)
	if k.Detail != "" {
		p.line("  %s", oneLine(k.Detail))
	}
	if k.Hint != "" {
		p.line("  hint: %s", k.Hint)
	}
	p.line("  may be destroyed: %s, because %s", k.Destroy, k.Because)
}

// oneLine joins the lines of s.
func oneLine(s string) string { return strings.Join(strings.Split(s, "\n"), "; ") }
