package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"walarchive/keys"
)

// maxCredential bounds what a login reads from a file, in bytes.
const maxCredential = 16 << 10

// login gets tokens by an auth method. A token is renewed, or another one got,
// when two thirds of its time are over, by whoever asks for it then.
type login struct {
	auth        Auth
	mount       string
	credentials func() (body map[string]string, secret string, err error)
	now         func() time.Time

	busy  once // guards what is below
	token string
	renew bool
	due   time.Time // to be renewed; zero: never
	end   time.Time // expires
}

func newLogin(o *Options) *login {
	l := &login{auth: o.Auth, mount: o.AuthMount, now: time.Now, busy: newOnce()}
	if l.mount == "" {
		l.mount = string(o.Auth)
	}
	switch o.Auth {
	case AuthAppRole:
		secret, name := o.Secret, "the credential"
		if secret == nil {
			secret, name = fileSecret(o.SecretIDFile, maxCredential), o.SecretIDFile
		}
		l.credentials = with(secret, name, "secret_id", map[string]string{"role_id": o.RoleID})
	case AuthKubernetes:
		name := o.JWTFile
		if name == "" {
			name = ServiceAccountToken
		}
		l.credentials = with(fileSecret(name, maxCredential), name, "jwt", map[string]string{"role": o.Role})
	default: // the certificate: the connection has it
		l.credentials = func() (map[string]string, string, error) { return map[string]string{"name": o.Role}, "", nil }
	}
	return l
}

// with gives the body of a login request: known, and as field the secret that
// comes from where name says.
func with(secret keys.Secret, name, field string, known map[string]string) func() (map[string]string, string, error) {
	return func() (map[string]string, string, error) {
		text, err := firstWord(secret)
		if err == nil && text == "" {
			err = fmt.Errorf("%w: %s is empty", keys.ErrUnavailable, name)
		}
		if err != nil {
			return nil, "", err
		}
		body := map[string]string{field: text}
		maps.Copy(body, known)
		return body, text, nil
	}
}

func (l *login) current(ctx context.Context, c *client) (string, error) {
	if err := l.busy.lock(ctx); err != nil {
		return "", unreachable(ctx, err)
	}
	defer l.busy.unlock()
	switch now := l.now(); {
	case l.token == "":
		return l.begin(ctx, c)
	case l.due.IsZero() || now.Before(l.due):
		return l.token, nil
	case l.renew && now.Before(l.end) && l.extend(ctx, c) == nil:
		return l.token, nil
	}
	token, err := l.begin(ctx, c)
	if err != nil && l.now().Before(l.end) {
		return l.token, nil // still good for a while
	}
	return token, err
}

func (l *login) instead(ctx context.Context, c *client, refused string) (string, error) {
	if err := l.busy.lock(ctx); err != nil {
		return "", unreachable(ctx, err)
	}
	defer l.busy.unlock()
	if l.token != refused {
		return l.token, nil
	}
	return l.begin(ctx, c)
}

// begin logs in.
func (l *login) begin(ctx context.Context, c *client) (string, error) {
	body, secret, err := l.credentials()
	if err != nil {
		return "", err
	}
	b, err := c.ask(ctx, "", request{path: "auth/" + l.mount + "/login", body: body, secrets: []string{secret}})
	if err == nil {
		err = l.take(b)
	}
	var f *failure
	if errors.As(err, &f) && f.status == http.StatusBadRequest {
		f.kind = keys.ErrPermission // as the methods say of wrong credentials
	}
	if errors.Is(err, keys.ErrNoKey) {
		err = fmt.Errorf("%w: there is no auth method at %s", keys.ErrUnavailable, l.mount)
	}
	if err != nil {
		return "", fmt.Errorf("log in by %s: %w", l.auth, err)
	}
	return l.token, nil
}

// extend renews the token.
func (l *login) extend(ctx context.Context, c *client) error {
	b, err := c.ask(ctx, l.token, request{path: "auth/token/renew-self", body: struct{}{}})
	if err != nil {
		return err
	}
	return l.take(b)
}

// take reads a token from the answer to a login or a renewal.
func (l *login) take(b []byte) error {
	var answer struct {
		Auth struct {
			Token     string `json:"client_token"`
			Seconds   int64  `json:"lease_duration"`
			Renewable bool   `json:"renewable"`
		} `json:"auth"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Auth.Token == "" {
		return fmt.Errorf("%w: the service's answer has no token", keys.ErrUnavailable)
	}
	a, now := answer.Auth, l.now()
	l.token, l.renew, l.due, l.end = a.Token, a.Renewable, time.Time{}, time.Time{}
	if life := min(time.Duration(a.Seconds), maxLife) * time.Second; life > 0 {
		l.due, l.end = now.Add(life*2/3), now.Add(life)
	}
	return nil
}

// maxLife bounds what is believed about a token's life, in seconds: ten years.
const maxLife = 10 * 365 * 24 * 3600
