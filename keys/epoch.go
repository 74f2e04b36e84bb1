package keys

import (
	"io"
	"slices"

	"walarchive/crypt"
	"walarchive/keys/escrow"
)

// Epoch is the reign of one epoch key. Its key never leaves the package but as
// keys derived from it.
type Epoch struct {
	Number    int // 1 for the archive's first
	id        crypt.ID
	principal Ref
	key       crypt.Key
	own       bool         // key was unwrapped by a principal key, or made here
	wraps     []crypt.Wrap // one for each principal key and each recipient
}

func newEpoch(rand io.Reader, number int) (Epoch, error) {
	k, err := crypt.RandomKey(rand)
	if err != nil {
		return Epoch{}, err
	}
	return Epoch{Number: number, id: epochID(k), key: k, own: true}, nil
}

// ID identifies the epoch's key without revealing it.
func (e Epoch) ID() crypt.ID { return e.id }

// SealKey is the key that objects of this epoch are sealed under.
func (e Epoch) SealKey() crypt.Key { return e.key.Derive(nil, "walarchive 1 epoch seal") }

// Principal is the principal key that the epoch was opened under.
func (e Epoch) Principal() Ref { return e.principal }

// Wraps are the wraps of the epoch's key by principal keys that are on record,
// the newest first, one for each key.
func (e Epoch) Wraps() []crypt.Wrap {
	var ws []crypt.Wrap
	for _, w := range e.wraps {
		if w.Kind != crypt.WrapAge {
			ws = append(ws, w)
		}
	}
	return ws
}

// Recipients are those that the epoch's key is wrapped to for escrow.
func (e Epoch) Recipients() []escrow.Recipient {
	var rs []escrow.Recipient
	for _, w := range e.wraps {
		if w.Kind == crypt.WrapAge {
			rs = append(rs, escrow.Recipient(w.Key))
		}
	}
	return rs
}

// addWraps puts newer wraps in front, in the place of those they renew.
func (e *Epoch) addWraps(newer []crypt.Wrap) {
	all := slices.Clone(newer)
	for _, w := range e.wraps {
		if !slices.ContainsFunc(newer, func(n crypt.Wrap) bool { return sameOpener(n, w) }) {
			all = append(all, w)
		}
	}
	e.wraps = all
}

// sameOpener reports whether one key opens both wraps.
func sameOpener(a, b crypt.Wrap) bool {
	return refOf(a) == refOf(b) && (a.Kind == crypt.WrapAge) == (b.Kind == crypt.WrapAge)
}

func (e Epoch) wrappedBy(r Ref) bool {
	return slices.ContainsFunc(e.Wraps(), func(w crypt.Wrap) bool { return refOf(w) == r })
}

// InEscrow reports whether the epoch's key is wrapped to a recipient.
func (e Epoch) InEscrow(r escrow.Recipient) bool {
	return slices.Contains(e.Recipients(), r)
}

// with is a wrap of e for an entry.
func (e Epoch) with(w crypt.Wrap) EpochWraps {
	return EpochWraps{Number: e.Number, ID: e.id, Wraps: []crypt.Wrap{w}}
}

func (e Epoch) chainKey() crypt.Key { return e.key.Derive(nil, "walarchive 1 epoch chain") }

func epochID(k crypt.Key) (id crypt.ID) {
	copy(id[:], k.Derive(nil, "walarchive 1 epoch id").Bytes())
	return id
}
