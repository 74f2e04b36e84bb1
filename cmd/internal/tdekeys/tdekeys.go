// Package tdekeys fetches the principal keys of servers that run pg_tde from
// the key services that those servers are configured with.
package tdekeys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/keys/all"
	"walarchive/storage"
)

// Host says where on this host is what a server's provider options name.
type Host struct {
	// PGData is the server's data directory, from which its relative paths
	// count. Empty: it is not on this host, and such files cannot be read.
	PGData string
	// Map has prefixes of the server's absolute paths, and what they are here.
	Map map[string]string
	// Overrides are options that differ here.
	Overrides Overrides
}

// Fetch gets a principal key of the server's: see tde.Fetch.
func (h Host) Fetch(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
	key, err := h.fetch(ctx, p, name)
	if err != nil {
		err = h.Overrides.explain(p.Name, err)
	}
	return key, err
}

func (h Host) fetch(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
	options, err := h.options(p)
	if err != nil {
		return crypt.Key{}, err
	}
	provider, err := all.Open(options, nil)
	if err != nil {
		return crypt.Key{}, fmt.Errorf("%w: %w", tde.ErrProvider, err)
	}
	key, err := provider.Key(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		// Of another kind from here on: callers ask for fs.ErrNotExist to
		// know whether an object is in the archive.
		err = storage.Classify(err, keys.ErrUnavailable, mapHint)
	}
	return key, err
}

const mapHint = "the server's options name this file; if it lies elsewhere on this host, say where: tde.map or [tde.providers.NAME] in the configuration, --map of the tde commands"

// options are those by which a provider of the server's is opened here.
func (h Host) options(p tde.Provider) (map[string]string, error) {
	override := h.Overrides.of(p.Name)
	if whole(override) {
		return override, nil
	}
	o, err := p.Options()
	if err != nil {
		return nil, err
	}
	options, err := settings(o.MapPaths(h.locate))
	if err != nil {
		return nil, err
	}
	return merge(options, override), nil
}

// settings turns the options of a server's provider into those of ours.
func settings(o tde.Options) (map[string]string, error) {
	switch o := o.(type) {
	case tde.FileOptions:
		return map[string]string{"type": "file", "path": o.Path}, nil
	case tde.VaultOptions:
		return vaultSettings(o), nil
	case tde.KMIPOptions:
		return kmipSettings(o), nil
	}
	return nil, fmt.Errorf("%w: keys of a provider of this type cannot be read", tde.ErrProvider)
}

// vaultSettings allow plaintext: where a server talks to its key service
// without TLS, refusing the same would only keep its WAL out of the archive.
func vaultSettings(o tde.VaultOptions) map[string]string {
	return map[string]string{
		"type": "vault", "url": o.URL, "mount": o.MountPath, "namespace": o.Namespace,
		"token_file": o.TokenPath, "ca": o.CAPath, "plaintext": "allowed",
	}
}

// kmipSettings verify the service's certificate, which pg_tde does not.
func kmipSettings(o tde.KMIPOptions) map[string]string {
	return map[string]string{"type": "kmip", "host": o.Host, "port": o.Port, "ca": o.CAPath, "cert": o.CertPath, "key": o.KeyPath}
}

// locate says where on this host the file is that the server knows as path.
// Of several prefixes that match, the longest counts.
func (h Host) locate(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(h.PGData, path)
	}
	best := ""
	for from := range h.Map {
		if under(path, from) && len(from) > len(best) {
			best = from
		}
	}
	if best == "" {
		return path
	}
	return filepath.Join(h.Map[best], strings.TrimPrefix(path, best))
}

// under reports whether path is dir or lies below it.
func under(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(dir, "/"))
}
