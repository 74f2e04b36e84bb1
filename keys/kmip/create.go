package kmip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/crypt"
	"walarchive/keys"
)

// shortestWait is what creators who meet wait for at most, the first time; it
// doubles.
const shortestWait = 20 * time.Millisecond

// Create makes a key of 32 random bytes and activates it.
func (p *KMIP) Create(ctx context.Context, name string) (crypt.Key, error) {
	key, err := crypt.RandomKey(rand.Reader)
	if err == nil {
		err = p.first(ctx, name, func(ctx context.Context, s *session) error { return s.create(ctx, name, key) })
	}
	if err != nil {
		key.Wipe()
		return crypt.Key{}, err
	}
	return key, nil
}

// create registers the key, and begins anew when somebody else registered one
// of the same name meanwhile.
func (s *session) create(ctx context.Context, name string, key crypt.Key) error {
	for wait := shortestWait; ; wait *= 2 {
		ids, err := s.locate(name)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			return keys.ErrKeyExists
		}
		alone, err := s.register(name, key)
		if err != nil {
			return &finalError{err}
		}
		if alone {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// register stores the key and activates it, unless it turns out not to be the
// only one of its name; then it is destroyed again.
func (s *session) register(name string, key crypt.Key) (alone bool, err error) {
	answer, err := ask[*payloads.RegisterResponsePayload](s, registerRequest(name, key))
	if err != nil {
		return false, err
	}
	id := answer.UniqueIdentifier
	ids, err := s.locate(name)
	if err == nil && len(ids) > 1 {
		_, err = ask[*payloads.DestroyResponsePayload](s, &payloads.DestroyRequestPayload{UniqueIdentifier: id})
		return false, err
	}
	if err == nil {
		err = s.activate(id)
	}
	if err == nil {
		err = s.check(id, key)
	}
	if err != nil {
		return false, fmt.Errorf("the key was registered as %s, but: %w", id, err)
	}
	return true, nil
}

// activate activates a key, unless the service did so by itself.
func (s *session) activate(id string) error {
	_, err := ask[*payloads.ActivateResponsePayload](s, &payloads.ActivateRequestPayload{UniqueIdentifier: id})
	if err == nil {
		return nil
	}
	if state, ok := s.state(id); ok && state == kmip.StateActive {
		return nil
	}
	return err
}

// check proves that the service gives the key that it was given.
func (s *session) check(id string, key crypt.Key) error {
	got, err := s.get(id)
	defer got.Wipe()
	if err == nil && !got.Equal(key) {
		err = fmt.Errorf("%w: the service gives another one back", keys.ErrBadKey)
	}
	return err
}

// pause waits for a random while of at most d.
func pause(ctx context.Context, d time.Duration) error {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d)))
	if err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(n.Int64())):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finalError is one behind which no other server must be asked: the key may be
// in the service by now.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// keepFinal is instead, as final as err.
func keepFinal(err, instead error) error {
	var end *finalError
	if errors.As(err, &end) {
		return &finalError{instead}
	}
	return instead
}
