package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/keys"
)

// content is what goes into an object: bytes in memory, or a function that
// writes the same bytes each time it is called. If they are in a draft already,
// that serves the object it was begun as.
type content struct {
	plain  []byte
	stream func(w io.Writer) error
	draft  *draft
}

// body is an object on its way into the bucket.
type body interface {
	io.ReadSeekCloser
	sealed() int64 // bytes, once read to the end
}

// seal completes the facts and makes the object's body. Close ends what works
// for it in the background.
func (a *Archive) seal(kind Kind, name string, f *Facts, c content) (body, error) {
	o, key, tip := a.sealOptions(kind, name)
	if c.draft.is(kind, name) {
		tip = c.draft.tip
	}
	s := a.stamp()
	f.Chain, f.Host, f.Time = tip, s.Host, s.Time
	facts, err := f.encode()
	if err != nil {
		return nil, err
	}
	if c.draft.is(kind, name) {
		b, err := c.draft.Finish(facts)
		return borrow(b), err
	}
	o.Digest = f.Digest
	if c.stream == nil {
		b, err := seal.Seal(nil, c.plain, key, facts, o)
		return newBody(b), err
	}
	return &stream{produce: func(w io.Writer) error {
		sw, err := seal.NewWriter(w, key, facts, o)
		if err == nil {
			err = c.stream(sw)
		}
		if err == nil {
			err = sw.Close()
		}
		return err
	}}, nil
}

// sealOptions are what is bound into a new object, and the key to seal it.
func (a *Archive) sealOptions(kind Kind, name string) (seal.Options, crypt.Key, ChainTip) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.chain.Open()
	n, digest := a.chain.Tip()
	return seal.Options{
		Kind: string(kind), Name: name,
		Archive: a.chain.Archive(), Epoch: e.ID(), Wraps: a.chain.HeaderWraps(),
		Codec: a.Codec, Workers: a.Workers, Rand: a.Rand, Memory: &a.memory,
	}, e.SealKey(), ChainTip{n, digest}
}

// whole is a body in memory.
type whole struct{ *bytes.Reader }

func newBody(b []byte) whole { return whole{bytes.NewReader(b)} }

func (w whole) sealed() int64 { return w.Reader.Size() }
func (whole) Close() error    { return nil }

// stream is a body made while it is read, anew after each rewind.
type stream struct {
	produce func(w io.Writer) error
	r       *io.PipeReader // nil: no producer is at work
	ended   chan struct{}  // closed by the producer
	n       int64
}

func (s *stream) Read(p []byte) (int, error) {
	if s.r == nil {
		r, w := io.Pipe()
		s.r, s.n, s.ended = r, 0, make(chan struct{})
		go func() {
			defer close(s.ended)
			w.CloseWithError(s.produce(w))
		}()
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	return n, err
}

var (
	errRewindOnly = errors.New("this body can only be rewound to its start")
	errBodyClosed = errors.New("nobody reads this body any more")
)

func (s *stream) Seek(off int64, whence int) (int64, error) {
	if off != 0 || whence != io.SeekStart {
		return 0, errRewindOnly
	}
	return 0, s.Close()
}

// Close ends the producer, whose next write fails, and waits for it.
func (s *stream) Close() error {
	if s.r == nil {
		return nil
	}
	err := s.r.CloseWithError(errBodyClosed)
	<-s.ended
	s.r = nil
	return err
}

func (s *stream) sealed() int64 { return s.n }

// object is a stored object, opened: its facts are authentic, its content is
// as far as it has been read.
type object struct {
	*seal.Reader
	Facts *Facts
	// Tip is an ErrRolledBack if the object's writer had seen more of the key
	// chain than there is now. The object itself is authentic all the same.
	Tip  error
	body *counted
	origin
}

func (o *object) Close() error { return o.body.Close() }

// open opens the object name. A missing one gives storage.ErrNotExist, one
// that does not authenticate ErrDamaged, a key that cannot be had its own
// error.
func (a *Archive) open(ctx context.Context, kind Kind, name string) (*object, error) {
	return a.openRange(ctx, kind, name, -1)
}

// openRange is open with only the first n bytes of the object at hand.
func (a *Archive) openRange(ctx context.Context, kind Kind, name string, n int64) (_ *object, err error) {
	r, err := a.bucket.Get(ctx, name, 0, n)
	if err != nil {
		return nil, err
	}
	body := &counted{ReadCloser: r}
	defer func() {
		if err != nil {
			_ = body.Close()
		}
	}()
	opened, err := seal.Open(body, seal.Expect{Kind: string(kind), Name: name, Archive: a.Anchor().Archive}, func(h *seal.Header) (crypt.Key, error) {
		return a.sealKey(ctx, h)
	})
	if err != nil {
		return nil, damaged(name, err)
	}
	f, err := parseFacts(opened.Facts())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tip := a.checkTip(ctx, f.Chain)
	if tip != nil && !errors.Is(tip, ErrRolledBack) {
		return nil, fmt.Errorf("%s: %w", name, tip)
	}
	return &object{opened, f, tip, body, originOf(r)}, nil
}

// facts reads the facts of an object and nothing behind them.
func (a *Archive) facts(ctx context.Context, kind Kind, name string) (*Facts, error) {
	o, err := a.openRange(ctx, kind, name, int64(seal.HeadSize))
	if err != nil {
		return nil, err
	}
	return o.Facts, errors.Join(o.Tip, o.Close())
}

// completeFacts reads the facts of an object and sees that its end is there.
func (a *Archive) completeFacts(ctx context.Context, kind Kind, name string) (*Facts, error) {
	o, err := a.openRange(ctx, kind, name, int64(seal.HeadSize))
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.Tip != nil {
		return nil, o.Tip
	}
	info, err := a.bucket.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	end, err := a.bucket.Get(ctx, name, max(0, info.Size-int64(seal.TailSize)), -1)
	if err != nil {
		return nil, err
	}
	defer end.Close()
	tail, err := io.ReadAll(io.LimitReader(end, int64(seal.TailSize)))
	if err != nil {
		return nil, err
	}
	if _, err := o.CheckEnd(info.Size, tail); err != nil {
		return nil, damaged(name, err)
	}
	return o.Facts, nil
}

// smallFile is a small sealed object that was read.
type smallFile struct {
	content []byte
	facts   *Facts
	sealed  int64 // bytes stored
	origin
}

// readSealed reads a small sealed object, of a mirror if the first store's is
// damaged.
func (a *Archive) readSealed(ctx context.Context, kind Kind, name string) (*smallFile, error) {
	f, err := a.readSmall(ctx, kind, name)
	if err == nil {
		return f, nil
	}
	f, from, err := elsewhere(a, err, func(alone *Archive) (*smallFile, error) { return alone.readSmall(ctx, kind, name) })
	if err == nil {
		f.origin = from
	}
	return f, err
}

func (a *Archive) readSmall(ctx context.Context, kind Kind, name string) (*smallFile, error) {
	o, err := a.open(ctx, kind, name)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.Facts.Size > maxSmall {
		return nil, damaged(name, fmt.Errorf("%d bytes where a small file belongs: %w", o.Facts.Size, seal.ErrCorrupt))
	}
	b := make([]byte, o.Facts.Size)
	if err := o.ReadFull(b); err != nil {
		return nil, damaged(name, err)
	}
	return &smallFile{b, o.Facts, o.body.n, o.origin}, nil
}

// damaged makes an ErrDamaged of an error that means that the object, not a
// key or the network, is at fault.
func damaged(name string, err error) error {
	var wrong *keys.WrongKeyError
	forged := errors.As(err, &wrong) && !errors.Is(err, keys.ErrNoKey) && !errors.Is(err, keys.ErrUnavailable) && !errors.Is(err, keys.ErrPermission)
	if errors.Is(err, seal.ErrCorrupt) || errors.Is(err, seal.ErrMisplaced) || forged {
		err = fmt.Errorf("%s: %w: %w", name, ErrDamaged, err)
		return advise(err, "restore the object from a copy of the bucket, or see: walarchive repair %s", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// sealKey finds the key of the epoch that an object's header names.
func (a *Archive) sealKey(ctx context.Context, h *seal.Header) (crypt.Key, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, err := a.chain.Epoch(ctx, h.Epoch, h.Wraps)
	if errors.Is(err, keys.ErrUnknownEpoch) {
		if err = a.refresh(ctx); err == nil {
			e, err = a.chain.Epoch(ctx, h.Epoch, h.Wraps)
		}
	}
	if errors.Is(err, keys.ErrUnknownEpoch) {
		err = advise(fmt.Errorf("%w: %w", ErrRolledBack, err), "%s", rolledBackHint)
	}
	if err != nil {
		return crypt.Key{}, err
	}
	return e.SealKey(), nil
}
