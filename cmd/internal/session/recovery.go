package session

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/config"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

// Recovery is what opens an archive whose principal keys, or whose hosts, are
// gone.
type Recovery struct {
	Identities      []escrow.Identity
	Export          *keys.Export // nil: none given
	TrustUnanchored bool
}

func startRecovery(c *cli.Context) (r Recovery, err error) {
	r.TrustUnanchored = c.Bool(command.UnanchoredFlag)
	if file := c.String(command.IdentityFlag); file != "" {
		if r.Identities, err = readIdentities(file); err != nil {
			return r, err
		}
	}
	if file := c.String(command.ExportFlag); file != "" {
		r.Export, err = ReadExport(file)
	}
	return r, err
}

// StartFrom is Start for a call that is about an export.
func StartFrom(c *cli.Context, p command.Process, x *keys.Export) (*Session, error) {
	r, err := startRecovery(c)
	if err != nil {
		return nil, err
	}
	r.Export = x
	return r.start(c, p)
}

func (r Recovery) start(c *cli.Context, p command.Process) (*Session, error) {
	said := command.ConfigFromFlags(c)
	cfg, err := config.Load(config.Sources{File: said.File, Environ: p.Environ, Set: said.Set, Defaults: r.settings()})
	if err != nil {
		return nil, err
	}
	require := cfg.RequireArchive
	if r.Identities != nil || r.Export != nil {
		require = cfg.RequireStore
	}
	if err := require(); err != nil {
		return nil, err
	}
	return &Session{Config: cfg, Log: command.Logger(p.Stderr, cfg.Log.Level, cfg.Log.JSON), Environ: p.Environ, Said: said, Recovery: r}, nil
}

// settings are those that an export knows.
func (r Recovery) settings() []string {
	if r.Export == nil {
		return nil
	}
	return []string{
		"storage.url=" + r.Export.Storage,
		"cluster.name=" + r.Export.Cluster,
		"keys.anchor=" + r.Export.Anchor.String(),
	}
}

// wraps are those of epoch keys that stand in an export only.
func (r Recovery) wraps() []keys.EpochWraps {
	if r.Export == nil {
		return nil
	}
	return r.Export.Wraps
}

func readIdentities(file string) ([]escrow.Identity, error) {
	b, err := readLimited(file, escrow.MaxIdentityFile)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", command.IdentityFlag, err)
	}
	defer clear(b)
	ids, err := escrow.ParseIdentities(b)
	if err != nil {
		err = command.WithHint(fmt.Errorf("--%s %s: %w", command.IdentityFlag, file, err),
			"the file of the safe, in plain; encrypted with a passphrase: age --decrypt FILE | … --identity /dev/stdin")
	}
	return ids, err
}

// ReadExport reads an export from a file.
func ReadExport(file string) (*keys.Export, error) {
	b, err := readLimited(file, keys.MaxExport)
	if err != nil {
		return nil, err
	}
	x, err := keys.ParseExport(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return x, nil
}

// readLimited reads a file, which may be a pipe, of at most limit bytes.
func readLimited(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", file, limit)
	}
	return b, err
}
