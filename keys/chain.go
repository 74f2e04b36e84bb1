package keys

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"walarchive/crypt"
	"walarchive/keys/escrow"
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
	escrow  map[escrow.Recipient]bool // false: dismissed
	trust   Trust
	proven  int // the newest epoch that is known to be the archive's own
}

// Stamp tells people when and where an entry was written.
type Stamp struct {
	Time time.Time
	Host string
}

// ReadChain reads stored entries, 1 first, and believes them as the package
// comment says. Trouble with the key of the open epoch gives the provider's
// error or *WrongKeyError, anything wrong with the entries ErrChain, and what
// only an escrow identity opens ErrUnanchored where t has no anchor.
func ReadChain(ctx context.Context, ring *Ring, stored [][]byte, t Trust) (*Chain, error) {
	c := &Chain{ring: ring, trust: t}
	if err := c.Extend(ctx, stored...); err != nil {
		return nil, err
	}
	if t.Anchor != nil && *t.Anchor != c.Anchor() {
		return nil, &AnchorError{Want: *t.Anchor, Got: c.Anchor()}
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
	next.retired, next.escrow = map[Ref]bool{}, map[escrow.Recipient]bool{}
	maps.Copy(next.retired, c.retired)
	maps.Copy(next.escrow, c.escrow)
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
	for _, r := range s.Escrow {
		c.escrow[r] = true
	}
	for _, r := range s.Dismiss {
		c.escrow[r] = false
	}
	c.entries = append(c.entries, s)
	return nil
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

// Escrow are the recipients that each epoch is wrapped to, in byte order.
func (c *Chain) Escrow() []escrow.Recipient {
	var all []escrow.Recipient
	for r, in := range c.escrow {
		if in {
			all = append(all, r)
		}
	}
	slices.Sort(all)
	return all
}

// HeaderWraps are the wraps of the open epoch that objects carry, at most
// MaxWraps: those to the recipients in escrow, and the newest by principal keys
// that are not retired.
func (c *Chain) HeaderWraps() []crypt.Wrap {
	var principals, recipients []crypt.Wrap
	for _, w := range c.Open().wraps {
		switch {
		case w.Kind != crypt.WrapAge && !c.retired[refOf(w)]:
			principals = append(principals, w)
		case w.Kind == crypt.WrapAge && c.escrow[escrow.Recipient(w.Key)] && len(recipients) < MaxEscrow:
			recipients = append(recipients, w)
		}
	}
	principals = principals[:min(len(principals), MaxWraps-len(recipients))]
	return append(principals, recipients...)
}

// Sole are the numbers of the epochs that no principal key but r opens, retired
// ones aside.
func (c *Chain) Sole(r Ref) []int {
	sole := []int{}
	for _, e := range c.epochs {
		other := func(w crypt.Wrap) bool { return refOf(w) != r && !c.retired[refOf(w)] }
		if e.wrappedBy(r) && !slices.ContainsFunc(e.Wraps(), other) {
			sole = append(sole, e.Number)
		}
	}
	return sole
}

// Digest is the digest of the entry with that number, if it has been read.
func (c *Chain) Digest(number int) (crypt.Digest, bool) {
	if number < 1 || number > c.Len() {
		return crypt.Digest{}, false
	}
	return c.entries[number-1].digest, true
}
