package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"walarchive/crypt"
)

// What follows makes entries. An entry is of the archive once it is stored
// under its number; until then nothing has happened, and if another was
// faster, it is made anew from what the chain is then.

// StartChain makes a new archive's first entry, whose first epoch is wrapped
// with the principal key to. data is what the archive records with it.
func StartChain(ctx context.Context, ring *Ring, rand io.Reader, to Ref, s Stamp, data json.RawMessage) ([]byte, error) {
	id, err := crypt.NewID(rand)
	if err != nil {
		return nil, err
	}
	e, err := newEpoch(rand, 1)
	if err != nil {
		return nil, err
	}
	w, err := ring.wrap(ctx, rand, to, id, e)
	if err != nil {
		return nil, err
	}
	return Entry{
		Version: version, Number: 1, Time: s.Time.UTC(), Host: s.Host, Archive: &id, Data: data,
		Epoch: &EpochWraps{Number: 1, ID: e.id, Wraps: []crypt.Wrap{w}},
	}.sign(e)
}

// Record makes the entry that puts data on record.
func (c *Chain) Record(s Stamp, data json.RawMessage) ([]byte, error) {
	e := c.next(s)
	e.Data = data
	return e.sign(c.Open())
}

// Rotate makes the entry that opens a new epoch under the principal key to,
// and wraps the epoch open until now with it too. Nothing is sealed anew.
func (c *Chain) Rotate(ctx context.Context, rand io.Reader, to Ref, s Stamp) ([]byte, error) {
	if c.retired[to] {
		return nil, fmt.Errorf("%w: %v", ErrRetired, to)
	}
	old := c.Open()
	fresh, err := newEpoch(rand, old.Number+1)
	if err != nil {
		return nil, err
	}
	w, err := c.ring.wrap(ctx, rand, to, c.archive, fresh)
	if err != nil {
		return nil, err
	}
	e := c.next(s)
	e.Epoch = &EpochWraps{Number: fresh.Number, ID: fresh.id, Wraps: []crypt.Wrap{w}}
	if !old.wrappedBy(to) {
		if w, err = c.ring.wrap(ctx, rand, to, c.archive, old); err != nil {
			return nil, err
		}
		e.Wraps = []EpochWraps{old.with(w)}
	}
	return e.sign(old, fresh)
}

// Rewrap makes the entry that wraps each epoch that is wrapped by the principal
// key from by to as well; no entry if all are. If to is from, the service
// renews those wraps that were made by an older version of the key.
func (c *Chain) Rewrap(ctx context.Context, rand io.Reader, from, to Ref, s Stamp) ([]byte, error) {
	if c.retired[to] {
		return nil, fmt.Errorf("%w: %v", ErrRetired, to)
	}
	e := c.next(s)
	known := false
	for i := range c.epochs {
		if !c.epochs[i].wrappedBy(from) {
			continue
		}
		known = true
		w, err := c.rewrap(ctx, rand, i+1, from, to)
		if err != nil {
			return nil, err
		}
		if w != nil {
			e.Wraps = append(e.Wraps, c.epochs[i].with(*w))
		}
	}
	switch {
	case !known:
		return nil, fmt.Errorf("%w %v", ErrWrapsNothing, from)
	case e.Wraps == nil:
		return nil, nil
	}
	return e.sign(c.Open())
}

// rewrap makes the wrap that Rewrap owes an epoch, nil for none.
func (c *Chain) rewrap(ctx context.Context, rand io.Reader, number int, from, to Ref) (*crypt.Wrap, error) {
	if from == to {
		return c.ring.renew(ctx, from, c.archive, c.epochs[number-1])
	}
	if c.epochs[number-1].wrappedBy(to) {
		return nil, nil
	}
	e, err := c.unwrapped(ctx, number)
	if err != nil {
		return nil, err
	}
	w, err := c.ring.wrap(ctx, rand, to, c.archive, e)
	return &w, err
}

var (
	// ErrRetired says that a principal key must not be used for new wraps.
	ErrRetired = errors.New("the principal key is retired")
	// ErrWrapsNothing says that a principal key has no part in an archive.
	ErrWrapsNothing = errors.New("no epoch of this archive is wrapped by principal key")
	// ErrInUse says that the open epoch is wrapped by a principal key: what is
	// written now could be read with it.
	ErrInUse = errors.New("the open epoch is wrapped by principal key")
)

// Retire makes the entry after which the principal key r is not used for new
// wraps any more; no entry if it is retired already. What it wrapped it still
// opens. A key that the open epoch is wrapped by gives ErrInUse, one that none
// is wrapped by ErrWrapsNothing.
func (c *Chain) Retire(r Ref, s Stamp) ([]byte, error) {
	known := false
	for _, e := range c.epochs {
		known = known || e.wrappedBy(r)
	}
	switch {
	case c.retired[r]:
		return nil, nil
	case !known:
		return nil, fmt.Errorf("%w %v", ErrWrapsNothing, r)
	case c.Open().wrappedBy(r):
		return nil, fmt.Errorf("%w %v", ErrInUse, r)
	}
	e := c.next(s)
	e.Retire = []Ref{r}
	return e.sign(c.Open())
}

func (c *Chain) next(s Stamp) Entry {
	n, digest := c.Tip()
	return Entry{Version: version, Number: n + 1, Prev: digest, Time: s.Time.UTC(), Host: s.Host}
}
