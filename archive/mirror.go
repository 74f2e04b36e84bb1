package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"walarchive/storage"
	"walarchive/storage/mirror"
)

// ErrNoMirror: the archive lies in one store.
var ErrNoMirror = errors.New("the archive has no mirror")

// Mirrored says what Mirror did.
type Mirrored struct {
	Objects  int       `json:"objects"`      // copied
	Bytes    int64     `json:"bytes,string"` // of these, as stored
	Problems []Problem `json:"problems"`     // what could not be copied, or differs
}

// mirrorWorkers is how many objects Mirror copies at once.
const mirrorWorkers = 4

// Mirror copies to every mirror what the first store has, and back to the first
// store what it lost, if that authenticates. Nothing is ever replaced. progress,
// which may be nil, hears of the total after each object.
func (a *Archive) Mirror(ctx context.Context, progress func(objects int, bytes int64)) (*Mirrored, error) {
	stores := a.stores()
	if len(stores) < 2 {
		return nil, advise(ErrNoMirror, "a [[storage.mirror]] with a url makes one")
	}
	c := &copying{archive: a, progress: progress, done: Mirrored{Problems: []Problem{}}}
	for _, m := range stores[1:] {
		if err := c.run(ctx, stores[0], m); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	sortProblems(c.done.Problems)
	return &c.done, nil
}

// copying is one run of Mirror.
type copying struct {
	archive  *Archive
	progress func(objects int, bytes int64)

	mu   sync.Mutex // guards done
	done Mirrored
}

func (c *copying) run(ctx context.Context, first, m mirror.Store) error {
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(mirrorWorkers)
	for p, err := range mirror.Compare(ctx, first.Bucket, m.Bucket) {
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if !ownOfStore(p.Name) {
			g.Go(func() error { return c.pair(working, first, m, p) })
		}
	}
	return g.Wait()
}

func (c *copying) pair(ctx context.Context, first, m mirror.Store, p mirror.Pair) error {
	switch {
	case p.B == nil:
		return c.copyObject(ctx, first, m, p.A)
	case p.A == nil:
		if err := c.archive.in(m).vouches(ctx, p.Name); err != nil {
			c.problem(p.Name, fmt.Sprintf("missing in the first store, and not copied from %s: %v", m.Name, err))
			return ctx.Err()
		}
		return c.copyObject(ctx, m, first, p.B)
	case p.A.Size != p.B.Size:
		c.problem(p.Name, otherSize(p, m))
	}
	return nil
}

// StoreKeys says whether one mirror has the archive's key chain.
type StoreKeys struct {
	Store string
	Err   error // nil: all of it
}

// MirrorKeys looks for the key chain in each mirror: without it the mirror's
// objects open, but no archive does.
func (a *Archive) MirrorKeys(ctx context.Context) []StoreKeys {
	n := len(a.Chain())
	var found []StoreKeys
	for _, m := range a.mirrors() {
		entries, err := a.in(m).readEntries(ctx, 1)
		if err == nil && len(entries) < n {
			err = advise(fmt.Errorf("%d of %d entries of the key chain", len(entries), n), "walarchive mirror copies what is missing")
		}
		found = append(found, StoreKeys{m.Name, err})
	}
	return found
}

// vouches reports why an object may not be copied to the first store: it does
// not authenticate, or is no sealed one.
func (a *Archive) vouches(ctx context.Context, object string) error {
	if strings.HasPrefix(object, chainPrefix) {
		return errors.New("the first store lost part of its key chain: make a mirror that has all of it the first")
	}
	object, kind, err := a.locate(object)
	if err != nil {
		return err
	}
	return a.readThrough(ctx, kind, object)
}

func (c *copying) copyObject(ctx context.Context, from, to mirror.Store, info *storage.Info) error {
	err := storage.Copy(ctx, from.Bucket, info.Name, to.Bucket, info.Name)
	switch {
	case errors.Is(err, storage.ErrExist): // a push was faster
		return nil
	case errors.Is(err, storage.ErrNotExist): // deleted meanwhile
		return nil
	case err != nil:
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Objects++
	c.done.Bytes += info.Size
	if c.progress != nil {
		c.progress(c.done.Objects, c.done.Bytes)
	}
	return nil
}

func (c *copying) problem(object, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Problems = append(c.done.Problems, Problem{ProblemMirror, object, detail})
}
