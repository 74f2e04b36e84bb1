package archive

import (
	"context"
	"errors"

	"walarchive/keys"
	"walarchive/keys/escrow"
)

// AddEscrow wraps every epoch to a recipient, those to come too. Epochs whose
// key cannot be had here are left out; adding the recipient again where the key
// is makes up for it.
func (a *Archive) AddEscrow(ctx context.Context, r escrow.Recipient) error {
	err := a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) { return c.AddEscrow(ctx, r, s) })
	if errors.Is(err, keys.ErrEscrowFull) {
		err = advise(err, "remove one first: walarchive keys escrow list shows them")
	}
	return err
}

// RemoveEscrow ends a recipient's escrow: a new epoch begins that is not wrapped
// to it. What was sealed before stays open to it. One that never was in escrow
// gives keys.ErrNoRecipient.
func (a *Archive) RemoveEscrow(ctx context.Context, r escrow.Recipient) error {
	return a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) {
		return c.RemoveEscrow(ctx, a.Rand, r, s)
	})
}

// Escrow lists the recipients that each epoch is wrapped to.
func (a *Archive) Escrow() []escrow.Recipient {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chain.Escrow()
}

// Recover hands the archive over to the principal key to: a new epoch begins
// under it, and it opens all older ones that open here, by whatever key or
// identity. It does nothing if the archive was handed over to it already.
func (a *Archive) Recover(ctx context.Context, to keys.Ref) error {
	return a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) { return c.Recover(ctx, a.Rand, to, s) })
}
