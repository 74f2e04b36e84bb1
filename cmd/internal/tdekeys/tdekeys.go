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

// Fetch fetches keys for the server whose data directory is pgdata: relative
// paths in its provider options count from there. moved rewrites prefixes of
// absolute paths for hosts on which files lie elsewhere than on the server.
func Fetch(pgdata string, moved map[string]string) tde.Fetch {
	return func(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
		o, err := p.Options()
		if err != nil {
			return crypt.Key{}, err
		}
		options, err := settings(o.MapPaths(func(path string) string { return locate(pgdata, moved, path) }))
		if err != nil {
			return crypt.Key{}, err
		}
		provider, err := all.Open(options, nil)
		if err != nil {
			return crypt.Key{}, fmt.Errorf("key provider %q: %w: %w", p.Name, tde.ErrProvider, err)
		}
		key, err := provider.Key(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			// Of another kind from here on: callers ask for fs.ErrNotExist to
			// know whether an object is in the archive.
			err = storage.Classify(err, keys.ErrUnavailable, mapHint)
		}
		return key, err
	}
}

const mapHint = "the server's options name this file; if it lies elsewhere on this host, map its directory: tde.map in the configuration, --map of the tde commands"

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
func locate(pgdata string, moved map[string]string, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(pgdata, path)
	}
	best := ""
	for from := range moved {
		if under(path, from) && len(from) > len(best) {
			best = from
		}
	}
	if best == "" {
		return path
	}
	return filepath.Join(moved[best], strings.TrimPrefix(path, best))
}

// under reports whether path is dir or lies below it.
func under(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(dir, "/"))
}
