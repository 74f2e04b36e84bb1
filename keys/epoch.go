package keys

import (
	"io"

	"walarchive/crypt"
)

// Epoch is the reign of one epoch key. Its key never leaves the package but as
// keys derived from it.
type Epoch struct {
	Number int // 1 for the archive's first
	id     crypt.ID
	key    crypt.Key
	wraps  []crypt.Wrap
}

func newEpoch(rand io.Reader, number int) (Epoch, error) {
	k, err := crypt.RandomKey(rand)
	if err != nil {
		return Epoch{}, err
	}
	return Epoch{Number: number, id: epochID(k), key: k}, nil
}

// ID identifies the epoch's key without revealing it.
func (e Epoch) ID() crypt.ID { return e.id }

// SealKey is the key that objects of this epoch are sealed under.
func (e Epoch) SealKey() crypt.Key { return e.key.Derive(nil, "walarchive 1 epoch seal") }

// Wraps are the wraps of the epoch's key that are current, at most MaxWraps,
// the newest first.
func (e Epoch) Wraps() []crypt.Wrap { return e.wraps }

func (e Epoch) chainKey() crypt.Key { return e.key.Derive(nil, "walarchive 1 epoch chain") }

func epochID(k crypt.Key) (id crypt.ID) {
	copy(id[:], k.Derive(nil, "walarchive 1 epoch id").Bytes())
	return id
}
