package tdekeys

import (
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
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
			if got := (Host{PGData: "/pgdata", Map: moved}).locate(tt.path); got != tt.want {
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
	k := tde.NewKeys(dir, Host{PGData: host.PGData, Map: map[string]string{fixtures.KeyringDir: host.Keyrings}}.Fetch)
	if _, err := k.Principal(t.Context()); err != nil {
		t.Errorf("with the keyring moved: %v", err)
	}
	k = tde.NewKeys(dir, Host{PGData: host.PGData, Map: map[string]string{fixtures.KeyringDir: t.TempDir()}}.Fetch)
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

// vault is a key service that has the key "k" in the engine "tde".
func vault(t *testing.T, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	s := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Vault-Token") != "tok" || r.Header.Get("X-Vault-Namespace") != "ns":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/v1/tde/data/k":
			_, _ = io.WriteString(w, `{"data":{"data":{"key":"AAECAwQFBgcICQoLDA0ODw=="}}}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"errors":[]}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// A server's own Vault provider, with its files elsewhere on this host. The
// fork calls the same openbao.
func TestFetchFromVault(t *testing.T) {
	here := t.TempDir()
	tls, plain := vault(t, httptest.NewTLSServer), vault(t, httptest.NewServer)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})
	for name, text := range map[string][]byte{"token": []byte("tok\n"), "ca.pem": ca} {
		if err := os.WriteFile(filepath.Join(here, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name     string
		provider tde.ProviderType
		text     string
	}{
		{"vault-v2", tde.VaultProvider, `{"url":"` + tls.URL + `","mountPath":"tde","tokenPath":"/srv/tde/token","caPath":"/srv/tde/ca.pem","namespace":"ns"}`},
		{"openbao", tde.OpenBaoProvider, `{"url":"` + tls.URL + `","mountPath":"tde","tokenPath":"/srv/tde/token","caPath":"/srv/tde/ca.pem","namespace":"ns"}`},
		{"without TLS", tde.VaultProvider, `{"url":"` + plain.URL + `","mountPath":"tde","tokenPath":"/srv/tde/token","namespace":"ns"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fetch := Host{PGData: "/pgdata", Map: map[string]string{"/srv/tde": here}}.Fetch
			p := tde.Provider{Name: "v", Type: tt.provider, Text: tt.text}
			if key, err := fetch(t.Context(), p, "k"); err != nil || len(key.Bytes()) != 16 {
				t.Errorf("got a key of %d bytes, error %v", len(key.Bytes()), err)
			}
			if _, err := fetch(t.Context(), p, "other"); !errors.Is(err, keys.ErrNoKey) {
				t.Errorf("another key: %v, want ErrNoKey", err)
			}
			_, err := Host{PGData: "/pgdata"}.Fetch(t.Context(), p, "k")
			var advice interface{ Hint() string }
			if !errors.Is(err, keys.ErrUnavailable) || !errors.As(err, &advice) || !strings.Contains(advice.Hint(), "tde.map") {
				t.Errorf("files not mapped: %v, want ErrUnavailable with a hint at tde.map", err)
			}
		})
	}
}

func TestFetchWithBadOptions(t *testing.T) {
	p := tde.Provider{Name: "v", Type: tde.VaultProvider, Text: `{"url":"vault","mountPath":"m","tokenPath":"/t"}`}
	if _, err := (Host{PGData: "/pgdata"}).Fetch(t.Context(), p, "k"); !errors.Is(err, tde.ErrProvider) {
		t.Errorf("got %v, want ErrProvider", err)
	}
}
