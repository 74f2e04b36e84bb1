package tdekeys

import (
	"errors"
	"maps"
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

func TestMerge(t *testing.T) {
	server := map[string]string{"type": "vault", "url": "https://a", "mount": "m", "token_file": "/t", "ca": "/ca"}
	tests := []struct {
		name     string
		override map[string]string
		changed  map[string]string // empty: gone
	}{
		{"nothing", nil, nil},
		{"one option", map[string]string{"url": "https://b"}, map[string]string{"url": "https://b"}},
		{"one more", map[string]string{"namespace": "ns"}, map[string]string{"namespace": "ns"}},
		{"taken away", map[string]string{"ca": ""}, map[string]string{"ca": ""}},
		{"another way to log in", map[string]string{"auth": "approle", "role_id": "r"}, map[string]string{"auth": "approle", "role_id": "r", "token_file": ""}},
		{"a token itself", map[string]string{"token": "x"}, map[string]string{"token": "x", "token_file": ""}},
		{"a way to log in with a token", map[string]string{"auth": "token", "token_file": "/u"}, map[string]string{"auth": "token", "token_file": "/u"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := maps.Clone(server)
			maps.Copy(want, tt.changed)
			maps.DeleteFunc(want, func(_, v string) bool { return v == "" })
			if got := merge(server, tt.override); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// The keyring lies elsewhere, and only this provider's name says so.
func TestOverrideOfAFile(t *testing.T) {
	keyring := filepath.Join(t.TempDir(), "copied.per")
	s, err := fixtures.Open("B-single-key")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Read("states/final/b-keyring.per")
	if err == nil {
		err = os.WriteFile(keyring, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(string(b), "\x00")
	p := tde.Provider{Name: "Ring-One", Type: tde.FileProvider, Text: `{"path":"/nowhere/ring.per"}`}
	vault := tde.Provider{Name: "Ring-One", Type: tde.VaultProvider, Text: `{"url":"https://127.0.0.1:1","mountPath":"m","tokenPath":"/t"}`}
	file := map[string]string{"type": "file", "path": keyring}
	tests := []struct {
		name      string
		provider  tde.Provider
		overrides Overrides
		want      error
		text      string
	}{
		{"path", p, Overrides{"ring-one": {"path": keyring}}, nil, ""},
		{"the whole provider", vault, Overrides{"ring-one": file}, nil, ""},
		{"an unusable one", tde.Provider{Name: "Ring-One", Type: "unknown type 9"}, Overrides{"ring-one": file}, nil, ""},
		{"still wrong", p, Overrides{"ring-one": {"path": "/elsewhere/ring.per"}}, keys.ErrUnavailable, "with path of tde.providers: principal key \"" + name + "\" in keyring file /elsewhere/ring.per"},
		{"of another name", p, Overrides{"ring-two": {"path": keyring}}, keys.ErrUnavailable, "with no override in tde.providers, which has ring-two: "},
		{"option of another type", p, Overrides{"ring-one": {"url": "https://v"}}, tde.ErrProvider, "unknown option url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Host{Overrides: tt.overrides}.Fetch(t.Context(), tt.provider, name)
			if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

// On this host the service has another address, another namespace and another
// token.
func TestOverrideOfAVault(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("tok\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := vault(t, func(h http.Handler) *httptest.Server { return httptest.NewServer(h) })
	p := tde.Provider{Name: "v", Type: tde.VaultProvider, Text: `{"url":"http://127.0.0.1:1","mountPath":"secret","tokenPath":"/srv/token","namespace":"there"}`}
	here := map[string]string{"url": s.URL, "mount": "tde", "token_file": token, "namespace": "ns"}
	for option := range here {
		t.Run("without "+option, func(t *testing.T) {
			less := maps.Clone(here)
			delete(less, option)
			if _, err := (Host{Overrides: Overrides{"v": less}}).Fetch(t.Context(), p, "k"); err == nil {
				t.Error("the key was got")
			}
		})
	}
	if _, err := (Host{Overrides: Overrides{"v": here}}).Fetch(t.Context(), p, "k"); err != nil {
		t.Error(err)
	}
}
