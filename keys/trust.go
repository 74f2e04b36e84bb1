package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"walarchive/crypt"
)

// Trust is what a reader of a key chain knows or decides beforehand.
type Trust struct {
	Anchor     *Anchor      // which archive it must be; nil: not known
	Unanchored bool         // believe, without an anchor, what only an escrow identity opens
	Wraps      []EpochWraps // wraps that stand elsewhere than in the chain
}

// ErrUnanchored says that nothing proves whose archive it is: only an escrow
// identity opens it, to whose public half anybody can wrap, and no anchor is
// known.
var ErrUnanchored = errors.New("only an escrow identity opens this archive, and no anchor tells whose it is")

// verify proves the open epoch and checks the MACs of the entries behind the
// first known ones: all from the proof on, and before it wherever the epoch
// unwraps, for there prev of a later entry vouches.
func (c *Chain) verify(ctx context.Context, known int) error {
	if c.Len() == 0 {
		return fmt.Errorf("no entries: %w", ErrChain)
	}
	if err := c.prove(ctx); err != nil {
		return err
	}
	for _, s := range c.entries[known:] {
		for _, m := range s.macs {
			e, err := c.unwrapped(ctx, m.epoch)
			if err != nil {
				continue
			}
			if err := s.verify(e); err != nil {
				return fmt.Errorf("key chain: %w", err)
			}
		}
	}
	c.proven = len(c.epochs)
	return nil
}

// prove goes back from the open epoch to one that is the archive's own beyond
// doubt: unwrapped by a principal key, proven before, or the first, which
// ReadChain compares with the anchor. All on the way have their keys then, and
// the MACs lead from each to the next.
func (c *Chain) prove(ctx context.Context) error {
	for n := len(c.epochs); n > c.proven; n-- {
		e, err := c.unwrapped(ctx, n)
		if err != nil || e.own {
			return err
		}
	}
	if c.proven == 0 && c.trust.Anchor == nil && !c.trust.Unanchored {
		return ErrUnanchored
	}
	return nil
}

// unwrapped is the epoch of that number with its key.
func (c *Chain) unwrapped(ctx context.Context, number int) (Epoch, error) {
	e := &c.epochs[number-1]
	if err := c.open(ctx, e, c.wraps(*e)); err != nil {
		return Epoch{}, fmt.Errorf("epoch %d: %w", number, err)
	}
	return *e, nil
}

// open gives e its key by one of wraps, if it does not have it: by a principal
// key, and only if none opens it by an escrow identity.
func (c *Chain) open(ctx context.Context, e *Epoch, wraps []crypt.Wrap) error {
	if !e.key.IsZero() {
		return nil
	}
	k, err := c.ring.unwrap(ctx, wraps, c.archive, e.id)
	if err == nil {
		e.key, e.own = k, true
		return nil
	}
	if k, ok := c.ring.takeOut(wraps, e.id); ok {
		e.key = k
		return nil
	}
	return err
}

// wraps are all wraps of an epoch that this reader knows.
func (c *Chain) wraps(e Epoch) []crypt.Wrap {
	all := e.wraps
	for _, w := range c.trust.Wraps {
		if w.ID == e.id {
			all = slices.Concat(all, w.Wraps)
		}
	}
	return all
}

// ErrUnknownEpoch says that a principal key of ours proves an epoch that the
// chain does not have: the chain has lost entries, or has not been read far
// enough.
var ErrUnknownEpoch = errors.New("sealed under an epoch that the key chain does not have")

// Epoch finds the epoch with that id. The wraps come from an object's header:
// they help when the chain's own can no longer be unwrapped, and tell an epoch
// that the chain lost (ErrUnknownEpoch) from one that never was
// (*WrongKeyError). An escrow identity does not tell that.
func (c *Chain) Epoch(ctx context.Context, id crypt.ID, wraps []crypt.Wrap) (Epoch, error) {
	i := slices.IndexFunc(c.epochs, func(e Epoch) bool { return e.id == id })
	if i < 0 {
		if _, err := c.ring.unwrap(ctx, wraps, c.archive, id); err != nil {
			return Epoch{}, err
		}
		return Epoch{}, fmt.Errorf("epoch %v: %w", id, ErrUnknownEpoch)
	}
	e, err := c.unwrapped(ctx, i+1)
	if err != nil && c.open(ctx, &c.epochs[i], wraps) == nil {
		return c.epochs[i], nil
	}
	return e, err
}
