package walarchive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/storage"
)

func checkCommand(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "try whether archiving works, from the configuration to a segment that arrives",
		Description: "Run it as the server's account, in the data directory or with cluster.pgdata set. It writes a\n" +
			"probe object to the store, asks the running server through psql, and makes it switch to a new\n" +
			"WAL segment. Exit 0: nothing is wrong; 1: something is.",
		Flags: append(command.ConfigFlags(),
			&cli.BoolFlag{Name: "no-switch", Usage: "do not make the server switch to a new WAL segment"},
			command.JSONFlag()),
		Action: func(c *cli.Context) error {
			if _, err := command.Operands(c); err != nil {
				return err
			}
			return check(c, p)
		},
	}
}

func check(c *cli.Context, p command.Process) error {
	u := &checkup{}
	u.run(c, p)
	var err error
	if c.Bool("json") {
		err = command.PrintJSON(c.App.Writer, u.findings)
	} else {
		err = u.text(c.App.Writer)
	}
	switch {
	case err != nil:
		return fmt.Errorf("check: %w", err)
	case c.Context.Err() != nil:
		return fmt.Errorf("check: %w", c.Context.Err())
	case !u.sound():
		return command.WithCode(exitFailed, nil) // the report says what
	}
	return nil
}

// checkup is one call of check. What could not be opened is nil; the report
// says why.
type checkup struct {
	findings
	*session.Session
	dir     *archive.DataDir
	archive *archive.Archive
	takes   bool // the archive takes WAL of the server on dir
	accepts bool // a store that ignores conditions: a setting says so
}

func (u *checkup) run(c *cli.Context, p command.Process) {
	s, err := session.Start(c, p)
	if err != nil {
		u.failed("configuration", err)
		return
	}
	u.Session = s
	u.ok("configuration", "archive %s in %s", s.Config.Cluster.Name, s.Config.Storage.URL)
	u.checkDataDir()
	u.checkStore(c.Context)
	u.checkServices(c.Context)
	u.checkKeys(c.Context)
	u.checkIncarnation()
	u.checkTDE(c.Context)
	u.checkServer(c.Context, p.Environ, c.Bool("no-switch"))
}

func (u *checkup) checkDataDir() {
	d, err := u.DataDir("")
	switch {
	case err == nil:
		u.dir = d
		u.ok("data directory", "%s: PostgreSQL %d, system %d, segments of %d MiB", d.Path, d.Major, d.Control.SystemID, d.Control.SegmentSize>>20)
	case u.Config.Cluster.PGData == "" && errors.Is(err, fs.ErrNotExist):
		u.unchecked("data directory", "the working directory is none", "run check in the data directory, or with --set cluster.pgdata=DIR; without one nothing is said of a server")
	default:
		u.failed("data directory", err)
	}
}

func (u *checkup) checkStore(ctx context.Context) {
	if u.accepts = u.Config.Storage.AcceptUnconditionalPut; u.accepts {
		u.warning("store", archive.AcceptsOverwrites, "unset it unless the store ignores conditions")
	}
	stores, err := u.Stores(ctx)
	if err != nil {
		u.failed("store", err)
		return
	}
	u.probe(ctx, "store", stores[0].Bucket)
	for _, m := range stores[1:] {
		u.probe(ctx, "mirror "+m.Name, m.Bucket)
	}
}

// probe tries one store, called what.
func (u *checkup) probe(ctx context.Context, what string, b storage.Bucket) {
	p, err := archive.NewProbe(b, rand.Reader)
	if err != nil {
		u.failed(what, err)
		return
	}
	for _, done := range p.Run(ctx) {
		u.probed(what+": ", p.Object, p, done)
	}
}

// probed reports what came of one step of a probe.
func (u *checkup) probed(prefix, detail string, p *archive.Probe, done archive.Probed) {
	check := prefix + string(done.Step)
	switch {
	case done.Err == nil:
		u.ok(check, "%s", detail)
	case done.Step == archive.ProbeDelete && errors.Is(done.Err, storage.ErrPermission):
		u.warning(check, "not allowed; "+p.Object+" stays", "that is best for a server that archives; delete the object with another credential")
	case errors.Is(done.Err, archive.ErrOverwrites) && u.accepts:
		u.warning(check, "DANGEROUS and accepted: "+archive.AcceptsOverwrites, "use a store that honours If-None-Match (S3, Azure) or generation 0 (Google)")
	case errors.Is(done.Err, archive.ErrOverwrites):
		text, hint := command.Describe(done.Err)
		u.problem(check, "DANGEROUS: "+text, hint)
	default:
		u.failed(check, done.Err)
	}
}

func (u *checkup) checkKeys(ctx context.Context) {
	a, err := u.OpenOnce(ctx, u.dir)
	if err != nil {
		u.failed("keys", err)
		return
	}
	u.archive = a
	all, err := askEpochs(ctx, u.Session, a)
	if err != nil {
		u.failed("keys", err)
		return
	}
	for _, e := range all {
		u.checkEpoch(e)
	}
	u.checkPrincipal()
	u.checkAnchor()
	u.checkMirrorKeys(ctx)
}

// checkMirrorKeys: each mirror must do without the first store.
func (u *checkup) checkMirrorKeys(ctx context.Context) {
	for _, m := range u.archive.MirrorKeys(ctx) {
		check := "mirror " + m.Store + ": keys"
		if m.Err != nil {
			u.failed(check, m.Err)
		} else {
			u.ok(check, "the whole key chain is there")
		}
	}
}

// checkServices tries the connections to the key services.
func (u *checkup) checkServices(ctx context.Context) {
	all, err := u.CheckProviders(ctx)
	if err != nil {
		u.failed("key service", err)
		return
	}
	now := time.Now()
	for _, h := range all {
		check := "key service " + h.Provider
		if h.Err != nil {
			u.failed(check, h.Err)
		} else {
			u.ok(check, "takes the credential")
		}
		for _, e := range h.Ends {
			if left := e.End.Sub(now); left < session.Soon {
				u.warning(check, fmt.Sprintf("%s ends at %s, in %d days", e.What, e.End.UTC().Format(time.RFC3339), int(left.Hours()/24)), "replace it before it does")
			}
		}
	}
}

// checkEpoch: one principal key that opens an epoch is enough for now.
func (u *checkup) checkEpoch(e epoch) {
	check := fmt.Sprintf("keys: epoch %d", e.Number)
	const hint = "restore that principal key from its safe copy; walarchive keys list shows all of them"
	for _, missing := range e.Missing {
		if len(e.Missing) < len(e.Principals) {
			u.warning(check, missing, hint)
		} else {
			u.problem(check, missing, hint)
		}
	}
	if len(e.Missing) == 0 {
		u.ok(check, "opens with %s", joinTexts(e.Principals))
	}
}

// checkPrincipal looks whether the configuration followed the last rotation.
func (u *checkup) checkPrincipal() {
	all := u.archive.Epochs()
	open := all[len(all)-1]
	for _, w := range open.Wraps() {
		if (keys.Ref{Provider: w.Provider, Key: w.Key}) == u.Principal() {
			u.ok("keys: principal", "epoch %d is open, under %v", open.Number, u.Principal())
			return
		}
	}
	u.warning("keys: principal", fmt.Sprintf("the open epoch %d is not under %v", open.Number, u.Principal()),
		"after keys rotate, set keys.principal to the new key on every host")
}

func (u *checkup) checkAnchor() {
	if u.Config.Keys.Anchor == "" {
		u.warning("anchor", "keys.anchor is not set: nothing tells this archive from one put in its place",
			fmt.Sprintf("compare %v with what init printed, and set keys.anchor to it", u.archive.Anchor()))
		return
	}
	u.ok("anchor", "%v", u.archive.Anchor())
}

func (u *checkup) checkIncarnation() {
	if u.archive == nil || u.dir == nil {
		return
	}
	if err := u.archive.Accepts(u.dir); err != nil {
		u.failed("cluster", err)
		return
	}
	u.takes = true
	u.ok("cluster", "the archive is this server's")
}

// checkTDE fetches the principal key of the server's pg_tde, if it has one,
// and tries the WAL keys.
func (u *checkup) checkTDE(ctx context.Context) {
	if u.dir == nil {
		return
	}
	path, found, err := tde.Find(u.dir.Path)
	if err != nil {
		u.failed("pg_tde", err)
		return
	}
	if !found {
		u.ok("pg_tde", "not in use")
		return
	}
	d, err := tde.Open(path)
	if err != nil {
		u.failed("pg_tde", err)
		return
	}
	if archive.Mode(u.Config.TDE.Mode) == archive.Preserve {
		u.checkPreserving(d)
		return
	}
	r := tde.NewKeys(d, u.ServerKeys(u.dir.Path)).Inspect(ctx)
	for _, problem := range r.Problems {
		u.problem("pg_tde", problem, "walarchive tde inspect --pg-tde "+path+" shows all of it; tde.map says where its files lie on this host")
	}
	if len(r.Problems) == 0 {
		u.ok("pg_tde", "%s: WAL can be read", path)
	}
}

// checkPreserving looks at what is stored with segments that stay encrypted.
// No principal key is needed for that, and none is asked for.
func (u *checkup) checkPreserving(d *tde.Dir) {
	if d.KeyFile.Header != nil {
		if _, err := d.Provider(); err != nil {
			u.failed("pg_tde", err)
			return
		}
	}
	u.ok("pg_tde", "%s: segments are stored as they are (tde.mode), no principal key is asked for", d.Path)
}
