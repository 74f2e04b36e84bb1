// Package session opens what commands work with, as the configuration says:
// log, data directory, key ring, bucket, archive.
package session

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/config"
	"walarchive/cmd/internal/tdekeys"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
	"walarchive/keys"
	keyproviders "walarchive/keys/all"
	"walarchive/keys/credential"
	"walarchive/storage"
	"walarchive/storage/limit"
)

// Session is one call of a command that works on an archive.
type Session struct {
	Config *config.Config
	Log    *slog.Logger
	Whole  int64 // see archive.Options
	Recovery

	RolledBack bool // see archive.Options

	Environ []string           // what the configuration was read from: the environment,
	Said    command.ConfigArgs // and flags

	HistoryAge time.Duration // see archive.Options
	Repeated   func()        // see storage.Policy
	Remember   time.Duration // see tdekeys.Remember; 0: each of pg_tde's keys is fetched when it is needed

	bulk *limit.Line // what work in bulk reads; nil: this is none. See InBulk
}

// Start reads the configuration that the flags, the environment and the file
// make together. It touches neither the store nor the keys. With an escrow
// identity or an export no principal key need be configured.
func Start(c *cli.Context, p command.Process) (*Session, error) {
	r, err := startRecovery(c)
	if err != nil {
		return nil, err
	}
	return r.start(c, p)
}

// DataDir finds the data directory that a call is about; file is the PATH or
// DEST it was given, if any.
func (s *Session) DataDir(file string) (*archive.DataDir, error) {
	return archive.FindDataDir(s.Config.Cluster.PGData, file, ".")
}

// Principal is the principal key that the configuration names.
func (s *Session) Principal() keys.Ref {
	return keys.Ref{Provider: s.Config.Keys.Provider, Key: s.Config.Keys.Principal}
}

// Ring has the configured key providers.
func (s *Session) Ring() (*keys.Ring, error) {
	providers := map[string]keys.Provider{}
	for name := range s.Config.Keys.Providers {
		p, err := s.Provider(name, s.Credential(name).Secret)
		if err != nil {
			return nil, err
		}
		providers[name] = p
	}
	return keys.NewRing(providers).WithIdentities(s.Identities), nil
}

// Provider opens a configured key provider. secret counts if that has a sealed
// credential.
func (s *Session) Provider(name string, secret keys.Secret) (keys.Provider, error) {
	p, err := keyproviders.Open(s.Config.Keys.Providers[name], secret)
	if err != nil {
		return nil, fmt.Errorf("key provider %s: %w", name, err)
	}
	return p, nil
}

// Credential is the place of a provider's sealed credential. Its File is empty
// if the provider is configured with none.
func (s *Session) Credential(name string) *credential.Place {
	options := maps.Clone(s.Config.Keys.Providers[name])
	file := options[keyproviders.CredentialFile]
	delete(options, keyproviders.CredentialFile)
	return &credential.Place{Provider: name, Options: options, File: file, HostKey: s.Config.Keys.HostKey, Loaded: s.Config.Keys.Loaded}
}

// Health is how the connection to a key service does.
type Health struct {
	Provider string
	Ends     []keys.Expiry // of certificates and tokens
	Err      error         // the service cannot be had, or does not take the credential
}

// Soon is how long before its end people are warned of a certificate or token.
const Soon = 30 * 24 * time.Hour

// CheckProviders tries the connection to every configured key service, in the
// order of the names. Providers without a connection have nothing to say.
func (s *Session) CheckProviders(ctx context.Context) ([]Health, error) {
	var all []Health
	for _, name := range slices.Sorted(maps.Keys(s.Config.Keys.Providers)) {
		p, err := s.Provider(name, s.Credential(name).Secret)
		if err != nil {
			return nil, err
		}
		if p, ok := p.(keys.Checker); ok {
			ends, err := p.Check(ctx)
			all = append(all, Health{name, ends, err})
		}
	}
	return all, nil
}

// Options are the archive's. d is the server that the call is about, nil if
// it is about none.
func (s *Session) Options(d *archive.DataDir) (archive.Options, error) {
	o := archive.Options{
		Workers:                 s.Config.Archive.Workers,
		Whole:                   s.Whole,
		HistoryAge:              s.HistoryAge,
		Log:                     s.Log,
		Spool:                   s.Config.Spool.Path,
		Stores:                  fmt.Sprintf("%+v %+v", s.Config.Storage.Store, s.Config.Storage.Mirrors),
		AcceptOverwrites:        s.Config.Storage.AcceptUnconditionalPut,
		Mode:                    archive.Mode(s.Config.TDE.Mode),
		RequireEncryptedRestore: s.Config.TDE.RequireEncryptedRestore,
		RolledBack:              s.RolledBack,
		TrustUnanchored:         s.TrustUnanchored,
		Wraps:                   s.wraps(),
	}
	var err error
	if o.Codec, err = seal.ParseCodec(s.Config.Archive.Codec); err != nil {
		return o, err
	}
	if o.Host, err = os.Hostname(); err != nil {
		return o, err
	}
	if text := s.Config.Keys.Anchor; text != "" {
		a, err := keys.ParseAnchor(text)
		if err != nil {
			return o, err
		}
		o.Anchor = &a
	}
	pgdata := s.Config.Cluster.PGData
	if d != nil {
		pgdata = d.Path
	}
	if o.TDE = s.ServerKeys(pgdata); s.Remember > 0 {
		o.TDE = tdekeys.Remember(o.TDE, s.Remember)
	}
	return o, nil
}

// ServerKeys fetches principal keys of pg_tde for the server whose data
// directory is pgdata, empty if that is not at hand.
func (s *Session) ServerKeys(pgdata string) tde.Fetch {
	return tdekeys.Host{PGData: pgdata, Map: s.Config.TDE.Map, Overrides: s.Config.TDE.Providers}.Fetch
}

// Open opens the archive, with calls of the store repeated.
func (s *Session) Open(ctx context.Context, d *archive.DataDir) (*archive.Archive, error) {
	return s.OpenOver(ctx, d, s.Patient)
}

// OpenOnce opens the archive for a caller that repeats what fails by itself.
func (s *Session) OpenOnce(ctx context.Context, d *archive.DataDir) (*archive.Archive, error) {
	return s.OpenOver(ctx, d, func(b storage.Bucket) storage.Bucket { return b })
}

// OpenOver opens the archive in what wrap makes of its bucket.
func (s *Session) OpenOver(ctx context.Context, d *archive.DataDir, wrap func(storage.Bucket) storage.Bucket) (*archive.Archive, error) {
	b, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := s.Ring()
	if err != nil {
		return nil, err
	}
	o, err := s.Options(d)
	if err != nil {
		return nil, err
	}
	return archive.Open(ctx, wrap(b), ring, o)
}
