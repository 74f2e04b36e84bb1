package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"walarchive/crypt"
	"walarchive/keys"
)

// KV serves keys from a key-value engine of version 2.
type KV struct{ c *client }

var _ keys.Creator = (*KV)(nil)

// New is the provider of an engine. It does no I/O.
func New(o Options) (*KV, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	return &KV{c}, nil
}

func (p *KV) String() string { return fmt.Sprintf("Vault %s, mount %s", p.c.o.URL, p.c.o.Mount) }

// Key fetches the newest version of a key. A name may hold slashes. A deleted
// version is no key.
func (p *KV) Key(ctx context.Context, name string) (crypt.Key, error) {
	key, err := p.key(ctx, name)
	return key, p.c.wrap(p.String(), name, err)
}

func (p *KV) key(ctx context.Context, name string) (crypt.Key, error) {
	if err := checkName(name); err != nil {
		return crypt.Key{}, err
	}
	b, err := p.c.call(ctx, request{path: p.path(name), cut: true})
	defer clear(b)
	if errors.Is(err, keys.ErrNoKey) && len(b) > 0 && parseDeleted(b) {
		return crypt.Key{}, fmt.Errorf("%w: its newest version is deleted", keys.ErrNoKey)
	}
	if err != nil {
		return crypt.Key{}, err
	}
	return parseSecret(b)
}

func (p *KV) path(name string) string { return p.c.o.Mount + "/data/" + name }

// Create makes a key of 32 random bytes. A name whose newest version is
// deleted is taken: the deletion can be undone.
func (p *KV) Create(ctx context.Context, name string) (crypt.Key, error) {
	key, err := p.create(ctx, name)
	return key, p.c.wrap(p.String(), name, err)
}

func (p *KV) create(ctx context.Context, name string) (crypt.Key, error) {
	if err := checkName(name); err != nil {
		return crypt.Key{}, err
	}
	key, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		return crypt.Key{}, err
	}
	text := base64.StdEncoding.EncodeToString(key.Bytes())
	_, err = p.c.call(ctx, request{
		path:    p.path(name),
		secrets: []string{text},
		body: map[string]any{
			"options": map[string]int{"cas": 0}, // only where there is no version yet
			"data":    map[string]string{"key": text},
		},
	})
	var f *failure
	switch {
	case errors.As(err, &f) && f.status == http.StatusBadRequest && f.says("check-and-set"):
		return crypt.Key{}, keys.ErrKeyExists
	case err != nil:
		return crypt.Key{}, err
	}
	return key, nil
}

// member finds a member of a JSON object by exactly this name; encoding/json
// takes another case for the same in structs. Of repeated ones the last counts.
func member(b []byte, names ...string) (json.RawMessage, bool) {
	for _, name := range names {
		var object map[string]json.RawMessage
		if json.Unmarshal(b, &object) != nil {
			return nil, false
		}
		found, ok := object[name]
		if !ok {
			return nil, false
		}
		b = found
	}
	return b, true
}

// parseSecret takes the key out of a secret.
func parseSecret(b []byte) (crypt.Key, error) {
	if !json.Valid(b) {
		return crypt.Key{}, fmt.Errorf("%w: the answer is not JSON", keys.ErrBadKey)
	}
	field, ok := member(b, "data", "data", "key")
	var text *string
	if !ok || json.Unmarshal(field, &text) != nil || text == nil {
		return crypt.Key{}, fmt.Errorf("%w: the secret has no text in a field \"key\"; is the engine of version 2?", keys.ErrBadKey)
	}
	return parseKey(*text)
}

// parseKey reads the base64 of a key.
func parseKey(text string) (crypt.Key, error) {
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(text))
	defer clear(b)
	if err != nil {
		return crypt.Key{}, fmt.Errorf("%w: not base64", keys.ErrBadKey)
	}
	key, err := crypt.NewKey(b)
	if err != nil {
		return crypt.Key{}, fmt.Errorf("%w: %w", keys.ErrBadKey, err)
	}
	return key, nil
}

// parseDeleted reports whether the answer to a read describes a version that
// was deleted.
func parseDeleted(b []byte) bool {
	metadata, ok := member(b, "data", "metadata")
	return ok && len(metadata) > 0
}
