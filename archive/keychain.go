package archive

import (
	"context"
	"errors"

	"walarchive/keys"
)

// RotatePrincipal makes to the principal key of the archive: a new epoch
// begins under it, and the epoch open until now is wrapped with it as well.
// Nothing that is stored changes. It does nothing if the open epoch was opened
// under to.
func (a *Archive) RotatePrincipal(ctx context.Context, to keys.Ref) error {
	return a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) {
		if c.Open().Principal() == to {
			return nil, nil
		}
		return c.Rotate(ctx, a.Rand, to, s)
	})
}

// Rewrap wraps each epoch that the principal key from opens with to as well. If
// they are one key, of a service that has versions of it, wraps by older
// versions are renewed. Running it again is safe.
func (a *Archive) Rewrap(ctx context.Context, from, to keys.Ref) error {
	return a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) {
		return c.Rewrap(ctx, a.Rand, from, to, s)
	})
}

// Retire puts on record that the principal key r must not be used for new
// wraps. What it wrapped it still opens. A key that the open epoch is wrapped
// by gives keys.ErrInUse.
func (a *Archive) Retire(ctx context.Context, r keys.Ref) error {
	err := a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) { return c.Retire(r, s) })
	if errors.Is(err, keys.ErrInUse) {
		err = advise(err, "go over to another key first: walarchive keys rotate --to NAME")
	}
	return err
}

// Sole are the numbers of the epochs that only the principal key r opens,
// retired ones aside.
func (a *Archive) Sole(r keys.Ref) []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chain.Sole(r)
}

// Retired reports whether a principal key was retired.
func (a *Archive) Retired(r keys.Ref) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chain.Retired(r)
}

// Chain lists the entries of the key chain, oldest first.
func (a *Archive) Chain() []keys.Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chain.Entries()
}

// Epochs lists the epochs, oldest first.
func (a *Archive) Epochs() []keys.Epoch {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chain.Epochs()
}

// Anchor identifies the archive.
func (a *Archive) Anchor() keys.Anchor {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chain.Anchor()
}
