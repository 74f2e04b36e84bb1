package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"walarchive/storage"
	"walarchive/storage/mirror"
)

// compareMirrors holds every mirror against the first store: the names and
// sizes of all objects, and at level full, unless only a part is verified, all
// their bytes.
func (v *verifier) compareMirrors(ctx context.Context, stores []mirror.Store) error {
	for _, m := range stores[min(1, len(stores)):] {
		c := &comparison{verifier: v, first: stores[0], mirror: m}
		if err := c.run(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			v.unchecked("mirror "+m.Name, err)
		}
	}
	return nil
}

// comparison is one mirror held against the first store.
type comparison struct {
	*verifier
	first, mirror mirror.Store
}

func (c *comparison) run(ctx context.Context) error {
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(c.workers())
	for p, err := range mirror.Compare(ctx, c.first.Bucket, c.mirror.Bucket) {
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if ownOfStore(p.Name) {
			continue
		}
		g.Go(func() error { return c.pair(working, p) })
	}
	return g.Wait()
}

// ownOfStore reports whether an object belongs to the one store that it lies
// in, so that others need not have it: what a check left there, and what repair
// set aside there.
func ownOfStore(name string) bool {
	return isProbe(name) || strings.HasPrefix(name, damagedPrefix)
}

func (c *comparison) pair(ctx context.Context, p mirror.Pair) error {
	switch {
	case p.B == nil:
		return c.lacking(ctx, p.A, c.mirror)
	case p.A == nil:
		return c.lacking(ctx, p.B, c.first)
	case p.A.Size != p.B.Size:
		c.problem(ProblemMirror, p.Name, otherSize(p, c.mirror))
		return nil
	}
	if c.Level != LevelFull || c.Sample > 1 || c.from != nil || c.to != nil {
		return nil
	}
	return c.digests(ctx, p.Name)
}

func otherSize(p mirror.Pair, m mirror.Store) string {
	return fmt.Sprintf("%d bytes in %s, %d in the first store", p.B.Size, m.Name, p.A.Size)
}

// inFlight is how old an object must be before its absence elsewhere counts: a
// push may be about to copy it.
const inFlight = time.Minute

// lacking reports that s does not have an object of another store, if it still
// does not.
func (c *comparison) lacking(ctx context.Context, info *storage.Info, s mirror.Store) error {
	_, err := s.Bucket.Stat(ctx, info.Name)
	if err == nil {
		return nil
	}
	if !errors.Is(err, storage.ErrNotExist) {
		return err
	}
	if c.report.Started.Sub(info.ModTime) < inFlight {
		c.notice("%s is not in %s yet, and less than a minute old", info.Name, s.Name)
		return nil
	}
	c.problem(ProblemMirror, info.Name, "missing in "+s.Name)
	return nil
}

// digests compares the sealed bytes.
func (c *comparison) digests(ctx context.Context, name string) error {
	a, err := storedDigest(ctx, c.first.Bucket, name)
	if err != nil {
		return err
	}
	b, err := storedDigest(ctx, c.mirror.Bucket, name)
	if err != nil {
		return err
	}
	if a != b {
		c.problem(ProblemMirror, name, fmt.Sprintf("SHA-256 %x in %s, %x in the first store", b, c.mirror.Name, a))
	}
	return nil
}

// storedDigest is the SHA-256 of an object as it is stored.
func storedDigest(ctx context.Context, b storage.Bucket, name string) (sum [sha256.Size]byte, err error) {
	r, err := b.Get(ctx, name, 0, -1)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	_, err = io.Copy(h, r)
	return [sha256.Size]byte(h.Sum(nil)), errors.Join(err, r.Close())
}
