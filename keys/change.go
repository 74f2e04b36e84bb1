package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"walarchive/crypt"
	"walarchive/keys/escrow"
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
	var old []int
	if !c.Open().wrappedBy(to) {
		old = []int{c.Open().Number}
	}
	return c.openWrapping(ctx, rand, to, old, s)
}

// openWrapping makes the entry that opens a new epoch under the principal key
// to and wraps the older epochs of those numbers with it.
func (c *Chain) openWrapping(ctx context.Context, rand io.Reader, to Ref, numbers []int, s Stamp) ([]byte, error) {
	e, fresh, err := c.openNext(ctx, rand, to, c.Escrow(), s)
	if err != nil {
		return nil, err
	}
	if e.Wraps, err = c.wrapEach(ctx, rand, to, numbers); err != nil {
		return nil, err
	}
	return e.sign(c.Open(), fresh)
}

// openNext begins an entry that opens a new epoch under the principal key to
// and wraps it to recipients.
func (c *Chain) openNext(ctx context.Context, rand io.Reader, to Ref, recipients []escrow.Recipient, s Stamp) (Entry, Epoch, error) {
	if c.retired[to] {
		return Entry{}, Epoch{}, fmt.Errorf("%w: %v", ErrRetired, to)
	}
	fresh, err := newEpoch(rand, c.Open().Number+1)
	if err != nil {
		return Entry{}, Epoch{}, err
	}
	w, err := c.ring.wrap(ctx, rand, to, c.archive, fresh)
	if err != nil {
		return Entry{}, Epoch{}, err
	}
	e := c.next(s)
	e.Epoch = &EpochWraps{Number: fresh.Number, ID: fresh.id, Wraps: []crypt.Wrap{w}}
	for _, r := range recipients {
		if w, err = r.Wrap(fresh.key); err != nil {
			return Entry{}, Epoch{}, err
		}
		e.Epoch.Wraps = append(e.Epoch.Wraps, w)
	}
	return e, fresh, nil
}

// wrapEach wraps the epochs of those numbers with to.
func (c *Chain) wrapEach(ctx context.Context, rand io.Reader, to Ref, numbers []int) ([]EpochWraps, error) {
	var all []EpochWraps
	for _, n := range numbers {
		e, err := c.unwrapped(ctx, n)
		if err != nil {
			return nil, err
		}
		w, err := c.ring.wrap(ctx, rand, to, c.archive, e)
		if err != nil {
			return nil, err
		}
		all = append(all, e.with(w))
	}
	return all, nil
}

// Rewrap makes the entry that wraps each epoch that is wrapped by the principal
// key from by to as well; no entry if all are. If to is from, the service
// renews those wraps that were made by an older version of the key.
func (c *Chain) Rewrap(ctx context.Context, rand io.Reader, from, to Ref, s Stamp) ([]byte, error) {
	if c.retired[to] {
		return nil, fmt.Errorf("%w: %v", ErrRetired, to)
	}
	var has, lacks []int
	for _, e := range c.epochs {
		if e.wrappedBy(from) {
			has = append(has, e.Number)
			if !e.wrappedBy(to) {
				lacks = append(lacks, e.Number)
			}
		}
	}
	if has == nil {
		return nil, fmt.Errorf("%w %v", ErrWrapsNothing, from)
	}
	e := c.next(s)
	var err error
	if from == to {
		e.Wraps, err = c.renew(ctx, from, has)
	} else {
		e.Wraps, err = c.wrapEach(ctx, rand, to, lacks)
	}
	if err != nil || e.Wraps == nil {
		return nil, err
	}
	return e.sign(c.Open())
}

// renew renews the wraps by r of the given epochs that are not by its newest
// version.
func (c *Chain) renew(ctx context.Context, r Ref, numbers []int) ([]EpochWraps, error) {
	var all []EpochWraps
	for _, n := range numbers {
		w, err := c.ring.renew(ctx, r, c.archive, c.epochs[n-1])
		if err != nil {
			return nil, err
		}
		if w != nil {
			all = append(all, c.epochs[n-1].with(*w))
		}
	}
	return all, nil
}

// Recover makes the entry that hands the archive over to the principal key to:
// it opens a new epoch under it, and wraps with it each older one that opens
// here, by whatever key or identity; no entry if that is so already. A key that
// was lost and made anew under its old name has wrapped nothing yet.
func (c *Chain) Recover(ctx context.Context, rand io.Reader, to Ref, s Stamp) ([]byte, error) {
	var lacks []int
	for _, n := range c.opening(ctx) {
		if !c.opensWith(ctx, to, c.epochs[n-1]) {
			lacks = append(lacks, n)
		}
	}
	switch open := c.Open(); {
	case open.principal != to || slices.Contains(lacks, open.Number):
		return c.openWrapping(ctx, rand, to, lacks, s)
	case lacks == nil:
		return nil, nil
	}
	e := c.next(s)
	var err error
	if e.Wraps, err = c.wrapEach(ctx, rand, to, lacks); err != nil {
		return nil, err
	}
	return e.sign(c.Open())
}

// opensWith reports whether the principal key r opens the epoch by a wrap in
// the chain.
func (c *Chain) opensWith(ctx context.Context, r Ref, e Epoch) bool {
	return slices.ContainsFunc(e.Wraps(), func(w crypt.Wrap) bool {
		return refOf(w) == r && c.ring.Opens(ctx, w, c.archive, e) == nil
	})
}

// opening are the numbers of the epochs that open here.
func (c *Chain) opening(ctx context.Context) []int {
	var numbers []int
	for _, e := range c.epochs {
		if _, err := c.unwrapped(ctx, e.Number); err == nil {
			numbers = append(numbers, e.Number)
		}
	}
	return numbers
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
