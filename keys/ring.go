package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"walarchive/crypt"
)

// Ref names a principal key: a provider of the configuration and the key's
// name there. It prints as provider/key.
type Ref struct {
	Provider string `json:"provider"`
	Key      string `json:"key"`
}

func (r Ref) String() string { return r.Provider + "/" + r.Key }

// ParseRef reads what Ref.String prints; the key's name may hold slashes.
func ParseRef(s string) (Ref, error) {
	p, k, ok := strings.Cut(s, "/")
	if !ok || p == "" || k == "" {
		return Ref{}, fmt.Errorf("%q is not provider/key", s)
	}
	return Ref{p, k}, nil
}

// Ring gives principal keys by reference and wraps epoch keys with them. It
// remembers the keys it fetched. Its methods may be called concurrently.
type Ring struct {
	providers map[string]Provider

	mu      sync.Mutex
	fetched map[Ref]crypt.Key
}

// NewRing makes a ring of providers by their configured names.
func NewRing(providers map[string]Provider) *Ring {
	return &Ring{providers: providers, fetched: map[Ref]crypt.Key{}}
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

// Create makes the principal key that ref names, 32 random bytes, in its
// provider. A key that is there already gives ErrKeyExists.
func (r *Ring) Create(ctx context.Context, ref Ref) error {
	p, err := r.provider(ref)
	if err != nil {
		return err
	}
	c, ok := p.(Creator)
	if !ok {
		return fmt.Errorf("provider %s cannot make keys: make %s in the key service itself", ref.Provider, ref.Key)
	}
	_, err = c.Create(ctx, ref.Key)
	return err
}

func (r *Ring) provider(ref Ref) (Provider, error) {
	p, ok := r.providers[ref.Provider]
	if !ok {
		return nil, fmt.Errorf("key %s: no provider of that name is configured: %w", ref, ErrNoKey)
	}
	return p, nil
}

// wrap wraps an epoch's key with the principal key that ref names, and proves
// that the result unwraps.
func (r *Ring) wrap(ctx context.Context, rand io.Reader, ref Ref, archive crypt.ID, e Epoch) (crypt.Wrap, error) {
	k, err := r.Principal(ctx, ref)
	if err != nil {
		return crypt.Wrap{}, err
	}
	b := crypt.Binding{Archive: archive, Epoch: e.id, Provider: ref.Provider, Key: ref.Key}
	w, err := crypt.WrapKey(rand, k, e.key, b)
	if err != nil {
		return w, fmt.Errorf("wrap epoch %d with %v: %w", e.Number, ref, err)
	}
	if _, err = r.unwrap(ctx, []crypt.Wrap{w}, archive, e.id); err != nil {
		return w, fmt.Errorf("check the new wrap: %w", err)
	}
	return w, nil
}

// unwrap opens the first of wraps that one of the ring's principal keys opens,
// and checks that what comes out is the epoch key with that id.
func (r *Ring) unwrap(ctx context.Context, wraps []crypt.Wrap, archive, id crypt.ID) (crypt.Key, error) {
	var failed []error
	for _, w := range wraps {
		ref := Ref{w.Provider, w.Key}
		principal, err := r.Principal(ctx, ref)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		k, err := crypt.UnwrapKey(principal, w, archive, id)
		if err == nil && epochID(k) == id {
			return k, nil
		}
		failed = append(failed, &WrongKeyError{Ref: ref, Epoch: id})
	}
	if len(failed) == 0 {
		return crypt.Key{}, fmt.Errorf("epoch %v: not wrapped by any principal key: %w", id, ErrNoKey)
	}
	return crypt.Key{}, fmt.Errorf("epoch %v: %w", id, errors.Join(failed...))
}

// WrongKeyError says that a principal key was had but does not open what it is
// said to have wrapped.
type WrongKeyError struct {
	Ref   Ref
	Epoch crypt.ID
}

func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("principal key %v does not open this epoch: another key under that name, or a changed wrap", e.Ref)
}

// Hint says what to look at.
func (e *WrongKeyError) Hint() string {
	return "compare the key's fingerprint with the one noted when the archive was made; restore the right key under this name"
}
