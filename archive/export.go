package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"walarchive/keys"
	"walarchive/keys/escrow"
	"walarchive/storage"
)

// Export is what belongs into the safe; who calls adds where the store and the
// keys are. Every epoch is wrapped to each of the recipients, in the export
// alone.
func (a *Archive) Export(ctx context.Context, to []escrow.Recipient) (*keys.Export, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.chain.Export()
	s := a.stamp()
	x.Time, x.Host = s.Time, s.Host
	for _, r := range to {
		ws, err := a.chain.EscrowWraps(ctx, r)
		if err != nil {
			return nil, err
		}
		x.Wraps = append(x.Wraps, ws...)
	}
	return &x, nil
}

// PutBack stores those entries of a key chain that b, a cluster's part of a
// store, has lost, and returns how many these are. One that is there but another
// gives keys.ErrChain: nothing is replaced.
func PutBack(ctx context.Context, b storage.Bucket, entries [][]byte) (int, error) {
	n := 0
	for i, want := range entries {
		name := chainObject(i + 1)
		got, err := storage.ReadAll(ctx, b, name, keys.MaxEntrySize)
		if errors.Is(err, storage.ErrNotExist) {
			if err = b.Put(ctx, name, newBody(want)); err == nil {
				n++
				continue
			}
		}
		if err != nil {
			return n, err
		}
		if !bytes.Equal(got, want) {
			err := fmt.Errorf("%s is not what was exported: %w", name, keys.ErrChain)
			return n, advise(err, "somebody damaged or replaced it: delete that object, with a credential that may, and import again")
		}
	}
	return n, nil
}
