package tdekeys

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/crypt/tde"
	"walarchive/fixtures"
	"walarchive/keys"
)

func TestLocate(t *testing.T) {
	moved := map[string]string{"/srv/tde": "/mnt/keys", "/srv/tde/eu": "/eu", "/run/": "/var/run"}
	tests := []struct{ name, path, want string }{
		{"under a prefix", "/srv/tde/a.per", "/mnt/keys/a.per"},
		{"the prefix itself", "/srv/tde", "/mnt/keys"},
		{"longest prefix", "/srv/tde/eu/a.per", "/eu/a.per"},
		{"whole names only", "/srv/tdeX/a.per", "/srv/tdeX/a.per"},
		{"prefix with slash", "/run/a", "/var/run/a"},
		{"elsewhere", "/etc/a.per", "/etc/a.per"},
		{"relative", "keys/a.per", "/pgdata/keys/a.per"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := locate("/pgdata", moved, tt.path); got != tt.want {
				t.Errorf("locate(%q) = %q, want %q", tt.path, got, tt.want)
			}
		})
	}
}

func TestFetch(t *testing.T) {
	s, err := fixtures.Open("B-single-key")
	if err != nil {
		t.Fatal(err)
	}
	host, err := s.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	states, err := s.States()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.SetKeys(states[len(states)-1]); err != nil {
		t.Fatal(err)
	}
	dir, err := tde.Open(filepath.Join(host.PGData, "pg_tde"))
	if err != nil {
		t.Fatal(err)
	}
	k := tde.NewKeys(dir, Fetch(host.PGData, map[string]string{fixtures.KeyringDir: host.Keyrings}))
	if _, err := k.Principal(t.Context()); err != nil {
		t.Errorf("with the keyring moved: %v", err)
	}
	k = tde.NewKeys(dir, Fetch(host.PGData, map[string]string{fixtures.KeyringDir: t.TempDir()}))
	_, err = k.Principal(t.Context())
	var advice interface{ Hint() string }
	if !errors.Is(err, keys.ErrUnavailable) || !errors.As(err, &advice) || !strings.Contains(advice.Hint(), "tde.map") {
		t.Errorf("without the keyring: %v, want ErrUnavailable with a hint at tde.map", err)
	}
	// It would pass for an object that is not in the archive.
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is fs.ErrNotExist", err)
	}
}

func TestFetchFromOtherServices(t *testing.T) {
	p := tde.Provider{Name: "v", Type: tde.VaultProvider, Text: `{"url":"https://v","mountPath":"m","tokenPath":"/t"}`}
	if _, err := Fetch("/pgdata", nil)(t.Context(), p, "k"); !errors.Is(err, tde.ErrProvider) {
		t.Errorf("got %v, want ErrProvider", err)
	}
}
