package archive

import (
	"context"
	"io"

	"walarchive/keys"
	"walarchive/storage"
)

// The operations that an archive needs of a key service beside those of a store.
const (
	ProbeWrap   ProbeStep = "wrap"
	ProbeUnwrap ProbeStep = "unwrap"
)

// RunKey has the principal key to wrap a fresh epoch key as a rotation would,
// stores that as the probe, reads it back, and unwraps it as a host would that
// has only the store: with open, a ring that has fetched nothing yet. The epoch
// is of no archive. What follows a failure is not tried, but delete is.
func (p *Probe) RunKey(ctx context.Context, rand io.Reader, to keys.Ref, seal, open *keys.Ring) []Probed {
	var done []Probed
	try := func(step ProbeStep, err error) bool {
		done = append(done, Probed{step, err})
		return err == nil
	}
	entry, err := keys.StartChain(ctx, seal, rand, to, keys.Stamp{}, nil)
	if !try(ProbeWrap, err) {
		return done
	}
	p.content = entry
	if !try(ProbeWrite, p.put(ctx, entry)) {
		return done
	}
	got, err := storage.ReadAll(ctx, p.bucket, p.Object, keys.MaxEntrySize)
	if try(ProbeRead, err) {
		_, err := keys.ReadChain(ctx, open, [][]byte{got}, keys.Trust{})
		try(ProbeUnwrap, err)
	}
	try(ProbeDelete, p.delete(ctx))
	return done
}
