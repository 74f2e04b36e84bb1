package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"walarchive/keys"
)

// gate is a service that gives out tokens "planted-1", "planted-2" and so on,
// and takes only the newest. It notes the paths asked for.
type gate struct {
	given     int
	renewable bool
	asked     []string
	bodies    []string
	broken    bool // no logins, no renewals
}

func (g *gate) serve(t *testing.T) Options {
	return serving(t, func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 4096)
		n, _ := r.Body.Read(body)
		g.asked = append(g.asked, strings.TrimPrefix(r.URL.Path, "/v1/"))
		g.bodies = append(g.bodies, string(body[:n]))
		login := strings.HasSuffix(r.URL.Path, "/login")
		switch {
		case g.broken && (login || r.Method == http.MethodPut):
			answers(w, 503, `{"errors":["Vault is sealed"]}`)
		case login:
			g.given++
			g.grant(w)
		case r.Header.Get("X-Vault-Token") != fmt.Sprintf("planted-%d", g.given):
			answers(w, 403, `{"errors":["permission denied"]}`)
		case strings.HasSuffix(r.URL.Path, "renew-self"):
			g.grant(w)
		default:
			answers(w, 200, `{"data":{"data":{"key":"MDEyMzQ1Njc4OWFiY2RlZg=="}}}`)
		}
	})
}

func (g *gate) grant(w http.ResponseWriter) {
	answers(w, 200, fmt.Sprintf(`{"auth":{"client_token":"planted-%d","lease_duration":300,"renewable":%v}}`, g.given, g.renewable))
}

// expect checks what was asked for since the last time.
func (g *gate) expect(t *testing.T, want ...string) {
	t.Helper()
	if fmt.Sprint(g.asked) != fmt.Sprint(want) {
		t.Errorf("asked for %v, want %v", g.asked, want)
	}
	g.asked, g.bodies = nil, nil
}

func appRole(t *testing.T, o Options) Options {
	t.Helper()
	o.TokenFile = ""
	o.Auth, o.RoleID, o.SecretIDFile = AuthAppRole, "role-1", file(t, "planted-secret\n")
	return o
}

const (
	appRoleLogin = "auth/approle/login"
	theKey       = "secret/data/k"
	renewal      = "auth/token/renew-self"
)

func get(t *testing.T, p *KV) {
	t.Helper()
	if _, err := p.Key(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
}

func TestLogins(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Options)
		path string
		body string
	}{
		{"approle", nil, appRoleLogin, `{"role_id":"role-1","secret_id":"planted-secret"}`},
		{"approle elsewhere", func(o *Options) { o.AuthMount = "team/approle" }, "auth/team/approle/login", `{"role_id":"role-1","secret_id":"planted-secret"}`},
		{"kubernetes", func(o *Options) { o.Auth, o.Role, o.JWTFile = AuthKubernetes, "db", file(t, "ey.J.wt\n") }, "auth/kubernetes/login", `{"jwt":"ey.J.wt","role":"db"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &gate{}
			o := appRole(t, g.serve(t))
			if tt.edit != nil {
				tt.edit(&o)
			}
			get(t, newKV(t, o))
			if g.bodies[0] != tt.body {
				t.Errorf("sent %s, want %s", g.bodies[0], tt.body)
			}
			g.expect(t, tt.path, theKey)
		})
	}
}

// One login serves many calls; a token is renewed in time, and another one got
// when that cannot be or the service has forgotten it.
func TestTokenIsKeptAndRenewed(t *testing.T) {
	g := &gate{renewable: true}
	p := newKV(t, appRole(t, g.serve(t)))
	now := time.Now()
	p.c.tokens.(*login).now = func() time.Time { return now }
	get(t, p)
	now = now.Add(199 * time.Second)
	get(t, p)
	g.expect(t, appRoleLogin, theKey, theKey)
	now = now.Add(2 * time.Second)
	get(t, p)
	get(t, p)
	g.expect(t, renewal, theKey, theKey)
	now = now.Add(400 * time.Second)
	get(t, p)
	g.expect(t, appRoleLogin, theKey)
	g.given++ // forgets the token
	get(t, p)
	g.expect(t, theKey, appRoleLogin, theKey)
	g.renewable = false
	now = now.Add(400 * time.Second)
	get(t, p)
	now = now.Add(250 * time.Second)
	get(t, p)
	g.expect(t, appRoleLogin, theKey, appRoleLogin, theKey)
}

// While a token is still good, trouble with its renewal is none.
func TestTokenServesToItsEnd(t *testing.T) {
	g := &gate{renewable: true}
	p := newKV(t, appRole(t, g.serve(t)))
	now := time.Now()
	p.c.tokens.(*login).now = func() time.Time { return now }
	get(t, p)
	g.broken = true
	now = now.Add(250 * time.Second)
	get(t, p)
	g.expect(t, appRoleLogin, theKey, renewal, appRoleLogin, theKey)
	now = now.Add(51 * time.Second)
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "sealed")
}

func TestLoginFailures(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   error
		text   string
	}{
		{"wrong secret id", 400, `{"errors":["invalid role or secret ID: planted-secret"]}`, fs.ErrPermission, "log in by approle"},
		{"denied", 403, `{"errors":["permission denied"]}`, fs.ErrPermission, ""},
		{"no method", 404, `{"errors":["no handler for route \"auth/approle/login\""]}`, keys.ErrUnavailable, ""},
		{"nothing there", 404, `{"errors":[]}`, keys.ErrUnavailable, "no auth method"},
		{"sealed", 503, `{"errors":["Vault is sealed"]}`, keys.ErrUnavailable, "sealed"},
		{"no token", 200, `{"auth":null}`, keys.ErrUnavailable, "no token"},
		{"not JSON", 200, `<html>`, keys.ErrUnavailable, "no token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newKV(t, appRole(t, answering(t, tt.status, tt.body))).Key(t.Context(), "k")
			checkErrorKinds(t, err, tt.want, tt.text)
		})
	}
}

// checkErrorKinds is checkError for a failure before the key was asked for.
func checkErrorKinds(t *testing.T, err, want error, text string) {
	t.Helper()
	checkError(t, err, want, text)
	if errors.Is(err, keys.ErrNoKey) {
		t.Errorf("%v says that there is no key", err)
	}
}

func TestCredentialFilesAreReadAgain(t *testing.T) {
	g := &gate{}
	o := appRole(t, g.serve(t))
	p := newKV(t, o)
	if err := os.Remove(o.SecretIDFile); err != nil {
		t.Fatal(err)
	}
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "no such file")
	if err := os.WriteFile(o.SecretIDFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "is empty")
	if err := os.WriteFile(o.SecretIDFile, []byte("planted-2"), 0o600); err != nil {
		t.Fatal(err)
	}
	get(t, p)
}
