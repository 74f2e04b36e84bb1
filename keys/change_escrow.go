package keys

import (
	"context"
	"errors"
	"fmt"
	"io"

	"walarchive/crypt"
	"walarchive/keys/escrow"
)

// MaxEscrow bounds the recipients in escrow at a time: their wraps stand in
// every object's header.
const MaxEscrow = 4

var (
	// ErrEscrowFull says that there are MaxEscrow recipients already.
	ErrEscrowFull = fmt.Errorf("there are %d escrow recipients already", MaxEscrow)
	// ErrNoRecipient says that a recipient was never in escrow.
	ErrNoRecipient = errors.New("not an escrow recipient of this archive")
)

// AddEscrow makes the entry from which on each epoch is wrapped to r, those
// open or closed by now included as far as they open here; no entry if that is
// so already.
func (c *Chain) AddEscrow(ctx context.Context, r escrow.Recipient, s Stamp) ([]byte, error) {
	e := c.next(s)
	if !c.escrow[r] {
		if len(c.Escrow()) == MaxEscrow {
			return nil, ErrEscrowFull
		}
		e.Escrow = []escrow.Recipient{r}
	}
	for _, n := range c.opening(ctx) {
		epoch := c.epochs[n-1]
		if epoch.InEscrow(r) {
			continue
		}
		w, err := r.Wrap(epoch.key)
		if err != nil {
			return nil, err
		}
		e.Wraps = append(e.Wraps, epoch.with(w))
	}
	if e.Escrow == nil && e.Wraps == nil {
		return nil, nil
	}
	return e.sign(c.Open())
}

// RemoveEscrow makes the entry from which on nothing is wrapped to r any more;
// no entry if that is so already. It opens a new epoch under the principal key
// in use, which r does not open; what was sealed before, r still does.
func (c *Chain) RemoveEscrow(ctx context.Context, rand io.Reader, r escrow.Recipient, s Stamp) ([]byte, error) {
	in, known := c.escrow[r]
	if !known {
		return nil, fmt.Errorf("%w: %s", ErrNoRecipient, r)
	}
	if !in {
		return nil, nil
	}
	var rest []escrow.Recipient
	for _, other := range c.Escrow() {
		if other != r {
			rest = append(rest, other)
		}
	}
	e, fresh, err := c.openNext(ctx, rand, c.Open().Principal(), rest, s)
	if err != nil {
		return nil, err
	}
	e.Dismiss = []escrow.Recipient{r}
	return e.sign(c.Open(), fresh)
}

// EscrowWraps wraps each epoch that opens here to a recipient, for a file that
// is kept elsewhere: the archive knows nothing of it.
func (c *Chain) EscrowWraps(ctx context.Context, r escrow.Recipient) ([]EpochWraps, error) {
	var all []EpochWraps
	for _, n := range c.opening(ctx) {
		w, err := r.Wrap(c.epochs[n-1].key)
		if err != nil {
			return nil, err
		}
		all = append(all, EpochWraps{Number: n, ID: c.epochs[n-1].id, Wraps: []crypt.Wrap{w}})
	}
	return all, nil
}
