package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"walarchive/keys"
)

func always(text string) keys.Secret {
	return func() ([]byte, error) { return []byte(text), nil }
}

func TestSecretToken(t *testing.T) {
	f := newFake(t)
	f.put("k", make([]byte, 32))
	o := f.options(t, "secret")
	o.TokenFile = ""
	for secret, want := range map[string]error{testToken: nil, testToken + "\n": nil, "other": fs.ErrPermission, "": fs.ErrPermission, "a\x01b": keys.ErrUnavailable} {
		o.Secret = always(secret)
		p, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := p.Key(t.Context(), "k"); !errors.Is(err, want) {
				t.Errorf("%q: got error %v, want %v", secret, err, want)
			}
		}
	}
	sealed := errors.New("does not open")
	o.Secret = func() ([]byte, error) { return nil, sealed }
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Key(t.Context(), "k"); !errors.Is(err, sealed) {
		t.Errorf("got error %v, want the credential's", err)
	}
}

func TestSecretID(t *testing.T) {
	g := &gate{}
	o := g.serve(t)
	o.TokenFile, o.Auth, o.RoleID, o.Secret = "", AuthAppRole, "r", always("planted-id\n")
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Key(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if want := `{"role_id":"r","secret_id":"planted-id"}`; strings.TrimSpace(g.bodies[0]) != want {
		t.Errorf("the login says %s, want %s", g.bodies[0], want)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
		token  time.Duration // 0: has no end
		err    error
	}{
		{"ends", 200, `{"data":{"ttl":7200}}`, 2 * time.Hour, nil},
		{"no end", 200, `{"data":{"ttl":0}}`, 0, nil},
		{"refused", 403, `{"errors":["permission denied"]}`, 0, fs.ErrPermission},
		{"sealed", 503, `{"errors":["Vault is sealed"]}`, 0, keys.ErrUnavailable},
		{"negative", 200, `{"data":{"ttl":-1}}`, 0, keys.ErrUnavailable},
		{"no data", 200, `{}`, 0, keys.ErrUnavailable},
		{"no JSON", 200, `x`, 0, keys.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := serving(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/auth/token/lookup-self" || r.Method != http.MethodGet {
					t.Errorf("asked for %s %s", r.Method, r.URL.Path)
				}
				answers(w, tt.status, tt.answer)
			})
			p, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			ends, err := p.Check(t.Context())
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if got := left(ends, "token"); got.Round(time.Minute) != tt.token {
				t.Errorf("the token ends in %v, want %v", got, tt.token)
			}
			if left(ends, "certificate of the service") <= 0 {
				t.Errorf("the end of the service's certificate is not in %v", ends)
			}
		})
	}
}

// left is how long the thing whose name begins with what still lives.
func left(ends []keys.Expiry, what string) time.Duration {
	for _, e := range ends {
		if strings.HasPrefix(e.What, what) {
			return time.Until(e.End)
		}
	}
	return 0
}

// A token that a login gives ends often, and nobody need care.
func TestCheckLogin(t *testing.T) {
	g := &gate{}
	o := g.serve(t)
	o.TokenFile, o.Auth, o.RoleID, o.Secret = "", AuthAppRole, "r", always("planted-id")
	p, err := NewTransit(o)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := p.Check(t.Context())
	if err != nil || left(ends, "token") != 0 {
		t.Errorf("got %v, error %v", ends, err)
	}
	g.expect(t, "auth/approle/login", "auth/token/lookup-self")
}

func FuzzTokenLife(f *testing.F) {
	for _, s := range []string{`{"data":{"ttl":7200}}`, `{"data":{"ttl":9223372036854775807}}`, `{}`, ``, fmt.Sprint(1 << 60)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if life, err := parseTokenLife(b); life < 0 || err != nil && life != 0 {
			t.Errorf("got %v, %v", life, err)
		}
	})
}
