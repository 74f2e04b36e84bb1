package queue

import (
	"context"
	"errors"
	"time"

	"walarchive/archive"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/storage"
)

// refreshEvery is how often the key chain of an archive held open is read
// again, so that a rotation made elsewhere is noticed.
const refreshEvery = 5 * time.Minute

// Holder keeps an archive open: its keys unwrapped, its connections at hand.
// It opens it when it is first used, and anew after trouble that a new opening
// may cure. Its methods may be called concurrently.
type Holder struct {
	open func(ctx context.Context) (*archive.Archive, error)
	now  func() time.Time
	turn chan struct{} // holds what follows; taken and given back
	held *held
}

// held is an open archive. Its keys are wiped when the last user has gone.
type held struct {
	*archive.Archive
	end     context.CancelFunc // of what it was opened with
	users   int
	dropped bool
	read    time.Time // the key chain, last
}

// NewHolder holds the archive that open opens.
func NewHolder(open func(ctx context.Context) (*archive.Archive, error)) *Holder {
	return &Holder{open: open, now: time.Now, turn: make(chan struct{}, 1)}
}

// Use does something with the archive.
func (h *Holder) Use(ctx context.Context, do func(a *archive.Archive) error) error {
	a, err := h.take(ctx)
	if err != nil {
		return err
	}
	err = do(a.Archive)
	h.giveBack(a, outdated(err))
	return err
}

// Drop ends the holding: the keys are wiped once nobody uses them.
func (h *Holder) Drop() {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	h.drop(h.held)
}

func (h *Holder) take(ctx context.Context) (*held, error) {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.turn }()
	if err := h.ready(ctx); err != nil {
		h.drop(h.held)
		return nil, err
	}
	h.held.users++
	return h.held, nil
}

// ready makes h.held an archive whose key chain was read lately.
func (h *Holder) ready(ctx context.Context) error {
	if h.held == nil {
		var err error
		h.held, err = h.begin(ctx)
		return err
	}
	if h.now().Sub(h.held.read) < refreshEvery {
		return nil
	}
	if err := h.held.Refresh(ctx); err != nil {
		return err
	}
	h.held.read = h.now()
	return nil
}

// begin opens the archive. Some stores go on using the context that they were
// opened with, so that this one outlives the call that happens to be the first.
func (h *Holder) begin(ctx context.Context) (*held, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	a, err := h.open(life)
	if err == nil && !stop() {
		a.Close()
		err = ctx.Err()
	}
	if err != nil {
		end()
		return nil, err
	}
	return &held{Archive: a, end: end, read: h.now()}, nil
}

func (h *Holder) giveBack(a *held, drop bool) {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	a.users--
	if drop {
		h.drop(a)
	} else if a.dropped {
		a.wipe()
	}
}

// drop lets go of a, which may be nil.
func (h *Holder) drop(a *held) {
	if a == nil {
		return
	}
	if h.held == a {
		h.held = nil
	}
	a.dropped = true
	a.wipe()
}

func (a *held) wipe() {
	if a.users == 0 {
		a.Close()
		a.end()
	}
}

// outdated reports whether err may come from what was read when the archive
// was opened: credentials, keys, the key chain.
func outdated(err error) bool {
	for _, kind := range []error{
		storage.ErrPermission, archive.ErrNoArchive, archive.ErrRolledBack,
		keys.ErrNoKey, keys.ErrUnavailable, keys.ErrChain, keys.ErrUnknownEpoch,
		tde.ErrWrongKey, tde.ErrUnwrap,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	var wrong *keys.WrongKeyError
	return errors.As(err, &wrong)
}
