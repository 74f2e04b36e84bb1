package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"walarchive/crypt"
	"walarchive/keys"
)

// Transit wraps with the keys of a Transit engine, which never leave it.
type Transit struct{ c *client }

var _ keys.Rewrapper = (*Transit)(nil)

// NewTransit is the provider of an engine. It does no I/O.
func NewTransit(o Options) (*Transit, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	return &Transit{c}, nil
}

func (p *Transit) String() string {
	return fmt.Sprintf("Transit of Vault %s, mount %s", p.c.o.URL, p.c.o.Mount)
}

// Kind is crypt.WrapTransit.
func (p *Transit) Kind() string { return crypt.WrapTransit }

// Key gives ErrBadKey: the key stays in the service.
func (p *Transit) Key(ctx context.Context, name string) (crypt.Key, error) {
	err := errors.Join(checkName(name), ctx.Err())
	if err == nil {
		err = fmt.Errorf("%w here: it never leaves its Transit engine", keys.ErrBadKey)
	}
	return crypt.Key{}, p.c.wrap(p.String(), name, err)
}

// Make makes a key of the engine's default type, aes256-gcm96. The service
// itself takes no notice of a key that is there already, so two that make the
// same one at once may both believe that they did; it is one key all the same.
func (p *Transit) Make(ctx context.Context, name string) error {
	return p.c.wrap(p.String(), name, p.makeKey(ctx, name))
}

func (p *Transit) makeKey(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	switch err := p.inspect(ctx, name); {
	case err == nil, errors.Is(err, keys.ErrBadKey):
		return keys.ErrKeyExists
	case !errors.Is(err, keys.ErrNoKey):
		return err
	}
	_, err := p.c.call(ctx, request{path: p.path("keys", name), body: struct{}{}})
	return err
}

func (p *Transit) path(what, name string) string { return p.c.o.Mount + "/" + what + "/" + name }

// inspect refuses keys that cannot wrap, or that others could wrap with as
// well: of an asymmetric key, one half is public.
func (p *Transit) inspect(ctx context.Context, name string) error {
	b, err := p.c.call(ctx, request{path: p.path("keys", name)})
	if err != nil {
		return err
	}
	var answer struct {
		Data struct {
			Type        string `json:"type"`
			Derived     bool   `json:"derived"`
			SoftDeleted bool   `json:"soft_deleted"` // OpenBao
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return fmt.Errorf("%w: the answer is not JSON", keys.ErrBadKey)
	}
	switch k := answer.Data; {
	case !symmetric.MatchString(k.Type):
		return fmt.Errorf("%w: it is of type %.20q; create it as aes256-gcm96", keys.ErrBadKey, k.Type)
	case k.Derived:
		return fmt.Errorf("%w: it is a derived key, which wants a context", keys.ErrBadKey)
	case k.SoftDeleted:
		return fmt.Errorf("%w: it is deleted and can be restored", keys.ErrNoKey)
	}
	return nil
}

var symmetric = regexp.MustCompile(`^(aes256-gcm96|x?chacha20-poly1305)$`)

// Wrap has the service encrypt secret. It looks at the key first, where the
// policy lets it: with some policies, encrypting with a missing key makes it.
func (p *Transit) Wrap(ctx context.Context, name string, secret crypt.Key) ([]byte, error) {
	box, err := p.encrypt(ctx, name, secret)
	return box, p.c.wrap(p.String(), name, err)
}

func (p *Transit) encrypt(ctx context.Context, name string, secret crypt.Key) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := p.inspect(ctx, name); err != nil && !errors.Is(err, keys.ErrPermission) {
		return nil, err
	}
	text := base64.StdEncoding.EncodeToString(secret.Bytes())
	b, err := p.c.call(ctx, request{path: p.path("encrypt", name), body: map[string]string{"plaintext": text}, secrets: []string{text}})
	if err != nil {
		return nil, transitKind(err)
	}
	box, ok := textMember(b, "ciphertext")
	if !ok || !isBox([]byte(box)) {
		return nil, fmt.Errorf("%w: what it makes is no wrap by a symmetric key", keys.ErrBadKey)
	}
	return []byte(box), nil
}

// Unwrap has the service decrypt a box.
func (p *Transit) Unwrap(ctx context.Context, name string, box []byte) (crypt.Key, error) {
	key, err := p.decrypt(ctx, name, box)
	return key, p.c.wrap(p.String(), name, err)
}

func (p *Transit) decrypt(ctx context.Context, name string, box []byte) (crypt.Key, error) {
	if err := checkName(name); err != nil {
		return crypt.Key{}, err
	}
	if !isBox(box) {
		return crypt.Key{}, crypt.ErrUnwrap
	}
	b, err := p.c.call(ctx, request{path: p.path("decrypt", name), body: map[string]string{"ciphertext": string(box)}})
	defer clear(b)
	if err != nil {
		return crypt.Key{}, transitKind(err)
	}
	text, ok := textMember(b, "plaintext")
	if !ok {
		return crypt.Key{}, fmt.Errorf("%w: the answer has no plaintext", keys.ErrBadKey)
	}
	return parseKey(text)
}

// Rewrap has the service renew a box. It does so always; a box of the same
// version is not worth keeping.
func (p *Transit) Rewrap(ctx context.Context, name string, box []byte) ([]byte, error) {
	renewed, err := p.rewrap(ctx, name, box)
	if err == nil && boxVersion(renewed) == boxVersion(box) {
		renewed = box
	}
	return renewed, p.c.wrap(p.String(), name, err)
}

func (p *Transit) rewrap(ctx context.Context, name string, box []byte) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if !isBox(box) {
		return nil, crypt.ErrUnwrap
	}
	b, err := p.c.call(ctx, request{path: p.path("rewrap", name), body: map[string]string{"ciphertext": string(box)}})
	if err != nil {
		return nil, transitKind(err)
	}
	renewed, ok := textMember(b, "ciphertext")
	if !ok || !isBox([]byte(renewed)) {
		return nil, fmt.Errorf("%w: what it makes is no wrap by a symmetric key", keys.ErrBadKey)
	}
	return []byte(renewed), nil
}

// boxVersion is the version of the key that made a box, "vault:v" before it.
func boxVersion(box []byte) string { return string(box[:bytes.LastIndexByte(box, ':')]) }

// boxForm is the ciphertext of 32 bytes under a symmetric key: base64 of 60
// bytes (nonce 12, tag 16) or 72 (nonce 24). Version 0, which the service
// takes for 1, is not written.
var boxForm = regexp.MustCompile(`^vault:v[1-9][0-9]{0,8}:(?:[A-Za-z0-9+/]{80}|[A-Za-z0-9+/]{96})$`)

func isBox(box []byte) bool { return boxForm.Match(box) }

func textMember(b []byte, name string) (string, bool) {
	field, ok := member(b, "data", name)
	var text *string
	if !ok || json.Unmarshal(field, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

// transitKind finds what a Transit engine means by 400, for which it has
// words only.
func transitKind(err error) error {
	var f *failure
	if !errors.As(err, &f) || f.status != http.StatusBadRequest && f.status != http.StatusInternalServerError {
		return err
	}
	switch {
	case f.says("key not found"):
		f.kind = keys.ErrNoKey
	case f.says("disallowed by policy"):
		f.kind = keys.ErrPermission
	case f.says("message authentication failed", "invalid ciphertext", "unable to decrypt"):
		return crypt.ErrUnwrap
	case f.status == http.StatusBadRequest:
		f.kind = keys.ErrBadKey
	}
	return f
}
