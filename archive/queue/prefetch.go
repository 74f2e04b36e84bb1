package queue

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"walarchive/storage"
)

const (
	// parallelFetches is how many objects are fetched ahead at a time.
	parallelFetches = 4
	// firstDepth is how many objects are fetched ahead to begin with, and after
	// a jump. It doubles whenever a Get has to wait for one.
	firstDepth = 2
	// prefetchIdle is how long what was fetched is kept when nobody asks.
	prefetchIdle = 30 * time.Second
)

// PrefetchOptions say how far a Prefetch may go.
type PrefetchOptions struct {
	Depth int  // most objects ahead; 0 fetches none
	Room  Room // for what was fetched
	Log   *slog.Logger
	Count func(PrefetchEvent) // hears what became of Gets; may be nil
}

// PrefetchEvent is what a Get of a whole object came to.
type PrefetchEvent int

const (
	PrefetchHit    PrefetchEvent = iota // all was here
	PrefetchJoined                      // it was on its way
	PrefetchMiss                        // it had to be asked of the store
)

// Prefetch is a bucket that fetches what will be asked for next before it is.
// It keeps objects as they are stored, sealed, in memory and then in a spool;
// whoever reads them checks them as if they came from the store. Objects never
// change, so that one fetched a while ago is as good as one fetched now. That
// one is missing is never remembered: every Get of it asks the store.
type Prefetch struct {
	PrefetchOptions
	room *room

	mu      sync.Mutex // guards what follows
	next    storage.Bucket
	wanted  []string            // in the order in which they will be asked for
	kept    map[string]*fetched // fetched, or on their way; by name
	running int                 // on their way
	depth   int                 // of wanted, how many to fetch now
	failed  bool                // one could not be fetched: no more until the next Want
	idle    *time.Timer

	ctx     context.Context // of fetches
	cancel  context.CancelFunc
	fetches sync.WaitGroup
}

var _ storage.Bucket = (*Prefetch)(nil)

// NewPrefetch makes a Prefetch that has yet to be put over a bucket.
func NewPrefetch(o PrefetchOptions) *Prefetch {
	if o.Count == nil {
		o.Count = func(PrefetchEvent) {}
	}
	p := &Prefetch{PrefetchOptions: o, room: &room{Room: o.Room}, kept: map[string]*fetched{}, depth: firstDepth}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.idle = time.AfterFunc(prefetchIdle, func() { p.Want(nil) })
	return p
}

// Over puts p over b. What came from another bucket is dropped.
func (p *Prefetch) Over(b storage.Bucket) storage.Bucket {
	p.Want(nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = b
	return p
}

// Unwrap is the bucket that p is over.
func (p *Prefetch) Unwrap() storage.Bucket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Close drops everything and waits for what is on its way.
func (p *Prefetch) Close() {
	p.cancel()
	p.Want(nil)
	p.idle.Stop()
	p.fetches.Wait()
}

// Used is how many bytes what was fetched takes of memory and spool.
func (p *Prefetch) Used() (memory, spool int64) { return p.room.used() }

// Want says what will be asked for next, in order. All else is dropped.
func (p *Prefetch) Want(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		names = nil
	} else {
		p.idle.Reset(prefetchIdle)
	}
	p.wanted, p.failed = names[:min(len(names), p.Depth)], false
	for name, c := range p.kept {
		if !slices.Contains(p.wanted, name) {
			p.depth = firstDepth
			delete(p.kept, name)
			c.drop()
		}
	}
	p.fetch()
}

// fetch begins to fetch what is wanted. p.mu is held.
func (p *Prefetch) fetch() {
	for _, name := range p.wanted[:min(len(p.wanted), p.depth)] {
		if p.failed || p.running == parallelFetches || p.ctx.Err() != nil {
			return
		}
		if p.kept[name] != nil {
			continue
		}
		c := newFetched(p.ctx, p.room)
		p.kept[name] = c
		p.running++
		next := p.next
		p.fetches.Go(func() { p.landed(name, c, c.fetch(next, name)) })
	}
}

// landed takes note of a fetch that ended.
func (p *Prefetch) landed(name string, c *fetched, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	if err != nil && p.kept[name] == c {
		p.failed = true
		delete(p.kept, name)
		c.drop()
		if !errors.Is(err, storage.ErrNotExist) {
			p.Log.Warn("cannot fetch ahead", "object", name, "error", err)
		}
	}
	p.fetch()
}

// take is the copy of an object, fetched or on its way, for its one reader; nil
// if there is none. The next ones follow.
func (p *Prefetch) take(name string) (*fetched, storage.Bucket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.kept[name]
	delete(p.kept, name)
	expected := slices.Index(p.wanted, name)
	p.wanted = p.wanted[expected+1:]
	if event := p.count(c); event != PrefetchHit && expected >= 0 {
		p.depth = min(2*p.depth, max(p.Depth, firstDepth))
	}
	p.fetch()
	return c, p.next
}

func (p *Prefetch) count(c *fetched) PrefetchEvent {
	event := PrefetchMiss
	switch {
	case c != nil && c.complete():
		event = PrefetchHit
	case c != nil:
		event = PrefetchJoined
	}
	p.Count(event)
	return event
}

// bucket is what p is over.
func (p *Prefetch) bucket() storage.Bucket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Get reads a whole object from what was fetched, or while it is. Parts come
// from the store.
func (p *Prefetch) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if off != 0 || n >= 0 {
		return p.bucket().Get(ctx, name, off, n)
	}
	c, next := p.take(name)
	if c == nil {
		return next.Get(ctx, name, 0, -1)
	}
	r, err := c.read(ctx, next, name)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (p *Prefetch) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	return p.bucket().Put(ctx, name, body)
}

func (p *Prefetch) Stat(ctx context.Context, name string) (storage.Info, error) {
	return p.bucket().Stat(ctx, name)
}

func (p *Prefetch) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return p.bucket().List(ctx, prefix, after)
}

func (p *Prefetch) Delete(ctx context.Context, name string) error {
	return p.bucket().Delete(ctx, name)
}
