package keys

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"walarchive/crypt"
	"walarchive/keys/escrow"
)

// Ref names a principal key: a provider of the configuration and the key's
// name there. It prints as provider/key.
type Ref struct {
	Provider string `json:"provider"`
	Key      string `json:"key"`
}

func (r Ref) String() string { return r.Provider + "/" + r.Key }

// ParseRef reads a principal key as people write it: PROVIDER/NAME, or NAME
// alone for one of the given provider.
func ParseRef(s, provider string) (Ref, error) {
	r := Ref{provider, s}
	if before, after, ok := strings.Cut(s, "/"); ok {
		r = Ref{before, after}
	}
	if !crypt.ValidName(r.Provider) || !crypt.ValidName(r.Key) {
		return Ref{}, fmt.Errorf("%q is no principal key: NAME or PROVIDER/NAME, each of 1 to 128 of the characters A-Z a-z 0-9 . _ -", s)
	}
	return r, nil
}

// refOf is the principal key that made a wrap.
func refOf(w crypt.Wrap) Ref { return Ref{w.Provider, w.Key} }

// Ring gives principal keys by reference and wraps epoch keys with them. It
// remembers the keys it fetched. Its methods may be called concurrently.
type Ring struct {
	providers  map[string]Provider
	identities map[escrow.Recipient]escrow.Identity

	mu      sync.Mutex
	fetched map[Ref]crypt.Key
}

// NewRing makes a ring of providers by their configured names.
func NewRing(providers map[string]Provider) *Ring {
	return &Ring{providers: providers, fetched: map[Ref]crypt.Key{}}
}

// WithIdentities gives the ring escrow identities, which open what no principal
// key opens. It is called before the ring is used, and returns it.
func (r *Ring) WithIdentities(ids []escrow.Identity) *Ring {
	r.identities = map[escrow.Recipient]escrow.Identity{}
	for _, id := range ids {
		r.identities[id.Recipient()] = id
	}
	return r
}

// Principal fetches the principal key that ref names.
func (r *Ring) Principal(ctx context.Context, ref Ref) (crypt.Key, error) {
	r.mu.Lock()
	k, ok := r.fetched[ref]
	r.mu.Unlock()
	if ok {
		return k, nil
	}
	p, err := r.provider(ref)
	if err != nil {
		return crypt.Key{}, err
	}
	if k, err = p.Key(ctx, ref.Key); err != nil {
		return crypt.Key{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched[ref] = k
	return k, nil
}

// Create makes the principal key that ref names, in its provider. A key that
// is there already gives ErrKeyExists.
func (r *Ring) Create(ctx context.Context, ref Ref) error {
	p, err := r.provider(ref)
	if err != nil {
		return err
	}
	switch p := p.(type) {
	case Wrapper:
		return p.Make(ctx, ref.Key)
	case Creator:
		_, err = p.Create(ctx, ref.Key)
		return err
	}
	return fmt.Errorf("provider %s cannot make keys: make %s in the key service itself", ref.Provider, ref.Key)
}

func (r *Ring) provider(ref Ref) (Provider, error) {
	p, ok := r.providers[ref.Provider]
	if !ok {
		return nil, fmt.Errorf("key %s: %w: %w", ref, ErrNotConfigured, ErrNoKey)
	}
	return p, nil
}
