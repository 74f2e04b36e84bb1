package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"walarchive/crypt"
	"walarchive/keys/escrow"
)

// wrap wraps an epoch's key with the principal key that ref names, and proves
// that the result unwraps.
func (r *Ring) wrap(ctx context.Context, rand io.Reader, ref Ref, archive crypt.ID, e Epoch) (crypt.Wrap, error) {
	w, err := r.wrapOnce(ctx, rand, ref, archive, e)
	if err != nil {
		return crypt.Wrap{}, err
	}
	if _, err = r.unwrap(ctx, []crypt.Wrap{w}, archive, e.id); err != nil {
		return crypt.Wrap{}, fmt.Errorf("check the new wrap: %w", err)
	}
	return w, nil
}

// wrapOnce wraps in the service where the principal key never leaves it, and
// here with the principal key otherwise.
func (r *Ring) wrapOnce(ctx context.Context, rand io.Reader, ref Ref, archive crypt.ID, e Epoch) (crypt.Wrap, error) {
	p, err := r.provider(ref)
	if err != nil {
		return crypt.Wrap{}, err
	}
	if p, ok := p.(Wrapper); ok {
		box, err := p.Wrap(ctx, ref.Key, e.key)
		if err != nil {
			return crypt.Wrap{}, err
		}
		w := crypt.Wrap{Kind: p.Kind(), Provider: ref.Provider, Key: ref.Key, Box: box}
		return w, w.Check()
	}
	k, err := r.Principal(ctx, ref)
	if err != nil {
		return crypt.Wrap{}, err
	}
	w, err := crypt.WrapKey(rand, k, e.key, crypt.Binding{Archive: archive, Epoch: e.id, Provider: ref.Provider, Key: ref.Key})
	if err != nil {
		return crypt.Wrap{}, fmt.Errorf("wrap epoch %d with %v: %w", e.Number, ref, err)
	}
	return w, nil
}

// renew has the service of ref wrap an epoch anew, with the newest version of
// the principal key; nil if that made its wrap already.
func (r *Ring) renew(ctx context.Context, ref Ref, archive crypt.ID, e Epoch) (*crypt.Wrap, error) {
	p, err := r.provider(ref)
	if err != nil {
		return nil, err
	}
	service, ok := p.(Rewrapper)
	if !ok {
		return nil, fmt.Errorf("%w: %v", ErrNoVersions, ref)
	}
	i := slices.IndexFunc(e.wraps, func(w crypt.Wrap) bool { return refOf(w) == ref })
	w := e.wraps[i]
	w.Box, err = service.Rewrap(ctx, ref.Key, w.Box)
	if err != nil || bytes.Equal(w.Box, e.wraps[i].Box) {
		return nil, err
	}
	if err := r.Opens(ctx, w, archive, e); err != nil {
		return nil, fmt.Errorf("check the renewed wrap: %w", err)
	}
	return &w, nil
}

// ErrNoVersions says that a principal key has no versions that could be newer
// than its wraps.
var ErrNoVersions = errors.New("the principal key has no versions")

// unwrap opens the first of wraps that one of the ring's principal keys opens,
// and checks that what comes out is the epoch key with that id. That it opens
// proves that somebody with the principal key made it.
func (r *Ring) unwrap(ctx context.Context, wraps []crypt.Wrap, archive, id crypt.ID) (crypt.Key, error) {
	var failed []error
	for _, w := range wraps {
		if w.Kind == crypt.WrapAge {
			continue
		}
		k, err := r.unwrapOnce(ctx, w, archive, id)
		if err == nil {
			return k, nil
		}
		failed = append(failed, err)
	}
	if len(failed) == 0 {
		return crypt.Key{}, fmt.Errorf("epoch %v: not wrapped by any principal key: %w", id, ErrNoKey)
	}
	return crypt.Key{}, fmt.Errorf("epoch %v: %w", id, errors.Join(failed...))
}

// takeOut opens the first of wraps that one of the ring's escrow identities
// opens, checked by the id. It proves nothing: anybody can wrap to a recipient.
func (r *Ring) takeOut(wraps []crypt.Wrap, id crypt.ID) (crypt.Key, bool) {
	for _, w := range wraps {
		identity, ok := r.identities[escrow.Recipient(w.Key)]
		if !ok || w.Kind != crypt.WrapAge {
			continue
		}
		k, err := identity.Unwrap(w)
		if err == nil && epochID(k) == id {
			return k, true
		}
		k.Wipe()
	}
	return crypt.Key{}, false
}

// unwrapOnce opens one wrap. The id tells the epoch's key from whatever else a
// box may hold: that is all that binds a wrap made in a service.
func (r *Ring) unwrapOnce(ctx context.Context, w crypt.Wrap, archive, id crypt.ID) (crypt.Key, error) {
	ref := refOf(w)
	k, err := r.open(ctx, ref, w, archive, id)
	switch {
	case errors.Is(err, crypt.ErrUnwrap), errors.Is(err, crypt.ErrWrap), errors.Is(err, crypt.ErrKeyLength):
		return crypt.Key{}, &WrongKeyError{Ref: ref, Epoch: id}
	case err != nil:
		return crypt.Key{}, err
	case epochID(k) != id:
		k.Wipe()
		return crypt.Key{}, &WrongKeyError{Ref: ref, Epoch: id}
	}
	return k, nil
}

func (r *Ring) open(ctx context.Context, ref Ref, w crypt.Wrap, archive, id crypt.ID) (crypt.Key, error) {
	p, err := r.provider(ref)
	if err != nil {
		return crypt.Key{}, err
	}
	if p, ok := p.(Wrapper); ok && w.Kind == p.Kind() {
		return p.Unwrap(ctx, ref.Key, w.Box)
	}
	principal, err := r.Principal(ctx, ref)
	if err != nil {
		return crypt.Key{}, err
	}
	return crypt.UnwrapKey(principal, w, archive, id)
}

// Opens reports why the wrap w of the epoch e cannot be opened here; nil if it
// can. It asks the key service unless the principal key was had before.
func (r *Ring) Opens(ctx context.Context, w crypt.Wrap, archive crypt.ID, e Epoch) error {
	k, err := r.unwrapOnce(ctx, w, archive, e.id)
	k.Wipe()
	return err
}

// TakesOut reports whether an escrow identity of the ring opens the epoch.
func (r *Ring) TakesOut(e Epoch) bool {
	k, ok := r.takeOut(e.wraps, e.id)
	k.Wipe()
	return ok
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
	return "compare it with the copy in the safe, or with that of a host where the archive opens (walarchive keys list shows fingerprints)"
}
