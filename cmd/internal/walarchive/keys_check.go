package walarchive

import (
	"crypto/rand"
	"fmt"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/keys"
)

func keysCheck(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "try the key services, each epoch, and a wrap all the way through the store",
		Description: "Wraps a throw-away key with the principal key, stores that as an object probe/…, reads it back and\n" +
			"unwraps it. Exit 0: nothing is wrong; 1: something is.",
		Flags:  append(command.ConfigFlags(), command.JSONFlag()),
		Action: keysAction(p, checkKeys),
	}
}

func checkKeys(k *keysCall) error {
	ctx := k.Context.Context
	u := &checkup{Session: k.Session}
	u.checkServices(ctx)
	u.checkKeys(ctx)
	k.tryPrincipal(u)
	if u.archive != nil {
		u.checkRetired()
		u.checkEscrow()
	}
	if err := k.report(u.findings); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !u.sound() {
		return command.WithCode(exitFailed, nil) // the report says what
	}
	return nil
}

func (k *keysCall) report(f findings) error {
	if k.Bool("json") {
		return command.PrintJSON(k.App.Writer, f)
	}
	return f.text(k.App.Writer)
}

// tryPrincipal sends a wrap by the configured principal key once round: key
// service, store, and back.
func (k *keysCall) tryPrincipal(u *checkup) {
	const check = "round trip"
	probe, seal, open, err := k.probe()
	if err != nil {
		u.failed(check, err)
		return
	}
	for _, done := range probe.RunKey(k.Context.Context, rand.Reader, k.Principal(), seal, open) {
		u.probed(check+": ", fmt.Sprintf("%v, %s", k.Principal(), probe.Object), probe, done)
	}
}

// probe is what a round trip takes: an object, and two rings that share nothing.
func (k *keysCall) probe() (p *archive.Probe, seal, open *keys.Ring, err error) {
	b, err := k.Bucket(k.Context.Context)
	if err == nil {
		p, err = archive.NewProbe(b, rand.Reader)
	}
	if err == nil {
		seal, err = k.Ring()
	}
	if err == nil {
		open, err = k.Ring()
	}
	return p, seal, open, err
}

// checkEscrow looks whether what is in escrow could be recovered.
func (u *checkup) checkEscrow() {
	all := u.archive.Escrow()
	if len(all) == 0 {
		u.unchecked("escrow", "no recipient: with its principal keys the archive is lost", "walarchive keys escrow add RECIPIENT")
	}
	for _, r := range all {
		h := holding(u.archive, r, true)
		if len(h.Missing) > 0 {
			u.warning("escrow", fmt.Sprintf("%s does not open the epochs %s", r, numbers(h.Missing)), "add it again where a principal key opens them: walarchive keys escrow add")
			continue
		}
		u.ok("escrow", "%s opens the epochs %s", r, numbers(h.Opens))
	}
}

// checkRetired: rotate to a retired key would be refused, one day.
func (u *checkup) checkRetired() {
	if u.archive.Retired(u.Principal()) {
		u.problem("keys: principal", fmt.Sprintf("%v is retired", u.Principal()), "set keys.principal to "+openEpoch(u.archive).Principal().Key)
	}
}
