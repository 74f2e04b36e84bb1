package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"walarchive/crypt"
)

// Chain is an archive's key chain as far as it has been read: which epochs
// there are, and who can unwrap them. It grows by Extend and never shrinks.
// A Chain is not safe for concurrent use.
type Chain struct {
	ring    *Ring
	archive crypt.ID
	entries []*signed
	epochs  []Epoch // by number-1; those whose key is zero were not unwrapped
	retired map[Ref]bool
}

// Stamp tells people when and where an entry was written.
type Stamp struct {
	Time time.Time
	Host string
}

// ReadChain reads stored entries, 1 first, and believes them as the package
// comment says. anchor is nil when none is known. Trouble with the key of the
// open epoch gives the provider's error or *WrongKeyError, anything wrong with
// the entries ErrChain.
func ReadChain(ctx context.Context, ring *Ring, stored [][]byte, anchor *Anchor) (*Chain, error) {
	c := &Chain{ring: ring, retired: map[Ref]bool{}}
	if err := c.Extend(ctx, stored...); err != nil {
		return nil, err
	}
	if anchor != nil && *anchor != c.Anchor() {
		return nil, &AnchorError{Want: *anchor, Got: c.Anchor()}
	}
	return c, nil
}

// AnchorError says that an archive is sound but not the one asked for.
type AnchorError struct{ Want, Got Anchor }

func (e *AnchorError) Error() string {
	return fmt.Sprintf("this is another archive: its anchor is %v, configured is %v", e.Got, e.Want)
}

// Unwrap makes it an ErrChain.
func (e *AnchorError) Unwrap() error { return ErrChain }

// Hint says what may have happened.
func (e *AnchorError) Hint() string {
	return "is the storage URL right? if the archive was made anew on purpose, set keys.anchor to what init printed"
}

// Extend adds entries that were read behind those the chain has. On error the
// chain is as it was before.
func (c *Chain) Extend(ctx context.Context, stored ...[]byte) error {
	next := *c
	next.entries, next.epochs = slices.Clone(c.entries), slices.Clone(c.epochs)
	next.retired = map[Ref]bool{}
	for r := range c.retired {
		next.retired[r] = true
	}
	for i, b := range stored {
		s, err := parseEntry(b)
		if err != nil {
			return fmt.Errorf("key chain entry %d: %w", c.Len()+i+1, err)
		}
		if err := next.link(s); err != nil {
			return err
		}
	}
	if err := next.verify(ctx, c.Len()); err != nil {
		return err
	}
	*c = next
	return nil
}

// link takes s over into the chain's state, as yet unverified.
func (c *Chain) link(s *signed) error {
	bad := func(what string) error { return fmt.Errorf("key chain entry %d: %s: %w", c.Len()+1, what, ErrChain) }
	if _, prev := c.Tip(); s.Number != c.Len()+1 || s.Prev != prev {
		return bad("does not follow the one before it")
	}
	if s.Archive != nil {
		c.archive = *s.Archive
	}
	if s.Epoch != nil {
		if s.Epoch.Number != len(c.epochs)+1 {
			return bad("epoch out of order")
		}
		c.epochs = append(c.epochs, Epoch{Number: s.Epoch.Number, id: s.Epoch.ID, principal: refOf(s.Epoch.Wraps[0]), wraps: s.Epoch.Wraps})
	}
	for _, m := range s.macs[len(s.macs)-1:] {
		if m.epoch != len(c.epochs) {
			return bad("not under the open epoch")
		}
	}
	for _, w := range s.Wraps {
		if w.Number < 1 || w.Number > len(c.epochs) || c.epochs[w.Number-1].id != w.ID {
			return bad("wraps of an unknown epoch")
		}
		c.epochs[w.Number-1].addWraps(w.Wraps)
	}
	for _, r := range s.Retire {
		c.retired[r] = true
	}
	c.entries = append(c.entries, s)
	return nil
}

// verify checks the entries behind the first known ones. The last must verify
// under the open epoch; the others under their epochs where they unwrap.
func (c *Chain) verify(ctx context.Context, known int) error {
	if c.Len() == 0 {
		return fmt.Errorf("no entries: %w", ErrChain)
	}
	if _, err := c.unwrapped(ctx, len(c.epochs)); err != nil {
		return err
	}
	for _, s := range c.entries[known:] {
		for _, m := range s.macs {
			e, err := c.unwrapped(ctx, m.epoch)
			if err != nil {
				continue // not the open epoch: prev of a later entry vouches
			}
			if err := s.verify(e); err != nil {
				return fmt.Errorf("key chain: %w", err)
			}
		}
	}
	return nil
}

// unwrapped is the epoch of that number with its key.
func (c *Chain) unwrapped(ctx context.Context, number int) (Epoch, error) {
	e := &c.epochs[number-1]
	if e.key.IsZero() {
		k, err := c.ring.unwrap(ctx, e.wraps, c.archive, e.id)
		if err != nil {
			return Epoch{}, fmt.Errorf("epoch %d: %w", number, err)
		}
		e.key = k
	}
	return *e, nil
}

// Len is the number of entries read.
func (c *Chain) Len() int { return len(c.entries) }

// Tip is the newest entry read, by number and digest.
func (c *Chain) Tip() (int, crypt.Digest) {
	if len(c.entries) == 0 {
		return 0, crypt.Digest{}
	}
	last := c.entries[len(c.entries)-1]
	return last.Number, last.digest
}

// Entries are the entries read, 1 first.
func (c *Chain) Entries() []Entry {
	es := make([]Entry, len(c.entries))
	for i, s := range c.entries {
		es[i] = s.Entry
	}
	return es
}

// Archive is the archive's id.
func (c *Chain) Archive() crypt.ID { return c.archive }

// Anchor identifies the archive.
func (c *Chain) Anchor() Anchor { return Anchor{c.archive, c.epochs[0].id} }

// Epochs are the epochs begun so far, 1 first.
func (c *Chain) Epochs() []Epoch { return c.epochs }

// Open is the open epoch: the one that new objects are sealed under.
func (c *Chain) Open() Epoch { return c.epochs[len(c.epochs)-1] }

// Retired reports whether a principal key was retired.
func (c *Chain) Retired(r Ref) bool { return c.retired[r] }

// HeaderWraps are the wraps of the open epoch that objects carry: the newest,
// at most MaxWraps, and none by a retired principal key.
func (c *Chain) HeaderWraps() []crypt.Wrap {
	var ws []crypt.Wrap
	for _, w := range c.Open().wraps {
		if len(ws) < MaxWraps && !c.retired[refOf(w)] {
			ws = append(ws, w)
		}
	}
	return ws
}

// Sole are the numbers of the epochs that nobody but the principal key r opens,
// retired ones aside.
func (c *Chain) Sole(r Ref) []int {
	sole := []int{}
	for _, e := range c.epochs {
		other := func(w crypt.Wrap) bool { return refOf(w) != r && !c.retired[refOf(w)] }
		if e.wrappedBy(r) && !slices.ContainsFunc(e.wraps, other) {
			sole = append(sole, e.Number)
		}
	}
	return sole
}

// ErrUnknownEpoch says that a principal key of ours proves an epoch that the
// chain does not have: the chain has lost entries, or has not been read far
// enough.
var ErrUnknownEpoch = errors.New("sealed under an epoch that the key chain does not have")

// Epoch finds the epoch with that id. The wraps come from an object's header:
// they help when the chain's own can no longer be unwrapped, and tell an epoch
// that the chain lost (ErrUnknownEpoch) from one that never was
// (*WrongKeyError).
func (c *Chain) Epoch(ctx context.Context, id crypt.ID, wraps []crypt.Wrap) (Epoch, error) {
	for i := range c.epochs {
		if c.epochs[i].id != id {
			continue
		}
		e, err := c.unwrapped(ctx, i+1)
		if err == nil {
			return e, nil
		}
		k, err2 := c.ring.unwrap(ctx, wraps, c.archive, id)
		if err2 != nil {
			return Epoch{}, err
		}
		c.epochs[i].key = k
		return c.epochs[i], nil
	}
	if _, err := c.ring.unwrap(ctx, wraps, c.archive, id); err != nil {
		return Epoch{}, err
	}
	return Epoch{}, fmt.Errorf("epoch %v: %w", id, ErrUnknownEpoch)
}

// Digest is the digest of the entry with that number, if it has been read.
func (c *Chain) Digest(number int) (crypt.Digest, bool) {
	if number < 1 || number > c.Len() {
		return crypt.Digest{}, false
	}
	return c.entries[number-1].digest, true
}
