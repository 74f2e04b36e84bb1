package keys_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"testing"

	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/keystest"
)

// service is a Wrapper in memory: a key service whose keys stay in it. Boxes
// are local wraps, bound to the key's name.
type service map[string]crypt.Key

func (s service) fail(name string, err error) error {
	return &keys.Error{Provider: "service", Key: name, Err: err, Advice: "look into the test"}
}

func (s service) find(ctx context.Context, name string) (crypt.Key, error) {
	if err := ctx.Err(); err != nil {
		return crypt.Key{}, s.fail(name, err)
	}
	if name == "" {
		return crypt.Key{}, s.fail(name, keys.ErrName)
	}
	if k, ok := s[name]; ok {
		return k, nil
	}
	return crypt.Key{}, s.fail(name, keys.ErrNoKey)
}

func (s service) Kind() string { return "service" }

func (s service) Key(_ context.Context, name string) (crypt.Key, error) {
	return crypt.Key{}, s.fail(name, keys.ErrBadKey)
}

func (s service) Make(ctx context.Context, name string) error {
	if _, err := s.find(ctx, name); !errors.Is(err, keys.ErrNoKey) {
		return errors.Join(err, s.fail(name, keys.ErrKeyExists))
	}
	k, err := crypt.RandomKey(rand.Reader)
	s[name] = k
	return err
}

func (s service) Wrap(ctx context.Context, name string, secret crypt.Key) ([]byte, error) {
	k, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	w, err := crypt.WrapKey(rand.Reader, k, secret, crypt.Binding{Provider: "service", Key: name})
	return append(append(w.Salt, w.Nonce...), w.Box...), err
}

func (s service) Unwrap(ctx context.Context, name string, box []byte) (crypt.Key, error) {
	k, err := s.find(ctx, name)
	if err != nil {
		return crypt.Key{}, err
	}
	if len(box) != 32+12+48 {
		return crypt.Key{}, s.fail(name, crypt.ErrUnwrap)
	}
	w := crypt.Wrap{Kind: crypt.WrapLocal, Provider: "service", Key: name, Salt: box[:32], Nonce: box[32:44], Box: box[44:]}
	return crypt.UnwrapKey(k, w, crypt.ID{}, crypt.ID{})
}

func TestServiceKeepsThePromiseOfAWrapper(t *testing.T) {
	keystest.TestWrapper(t, func(*testing.T) keys.Wrapper { return service{} })
}

// serviceRing is a ring whose keys one and two stay in their service.
func serviceRing(t *testing.T) (*keys.Ring, service) {
	t.Helper()
	s := service{}
	ring := keys.NewRing(map[string]keys.Provider{"local": s})
	for _, name := range []string{"one", "two"} {
		if err := ring.Create(t.Context(), ref(name)); err != nil {
			t.Fatal(err)
		}
	}
	return ring, s
}

func TestChainWithKeysThatStayInTheirService(t *testing.T) {
	ring, s := serviceRing(t)
	entries := story(t, ring)
	c := read(t, keys.NewRing(map[string]keys.Provider{"local": s}), entries)
	if got := len(c.Epochs()); got != 2 {
		t.Fatalf("got %d epochs, want 2", got)
	}
	for _, e := range c.Epochs() {
		for _, w := range e.Wraps() {
			if w.Kind != "service" {
				t.Errorf("epoch %d: a wrap of kind %q", e.Number, w.Kind)
			}
			if err := ring.Opens(t.Context(), w, c.Archive(), e); err != nil {
				t.Errorf("epoch %d: %v", e.Number, err)
			}
		}
	}
	delete(s, "two")
	if _, err := keys.ReadChain(t.Context(), ring, entries, keys.Trust{}); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("without the key: %v, want ErrNoKey", err)
	}
}

// A service does not bind what it wraps: a wrap of another epoch opens there.
func TestAWrapOfAnotherEpochIsRefused(t *testing.T) {
	ring, _ := serviceRing(t)
	c := read(t, ring, story(t, ring))
	first, second := c.Epochs()[0], c.Epochs()[1]
	var wrong *keys.WrongKeyError
	if err := ring.Opens(t.Context(), first.Wraps()[0], c.Archive(), second); !errors.As(err, &wrong) {
		t.Errorf("got %v, want *WrongKeyError", err)
	}
}

// Wraps lie in a bucket that others may write to: their kind is no promise.
func TestAWrapOfTheWrongKindIsRefused(t *testing.T) {
	ring, _ := serviceRing(t)
	local := newRing(t, "one", "two")
	inService, here := read(t, ring, story(t, ring)), read(t, local, story(t, local))
	w := here.Open().Wraps()[0]
	if err := ring.Opens(t.Context(), w, here.Archive(), here.Open()); err == nil {
		t.Error("a local wrap opened in the service")
	}
	w = inService.Open().Wraps()[0]
	if err := local.Opens(t.Context(), w, inService.Archive(), inService.Open()); err == nil {
		t.Error("a wrap of the service opened without it")
	}
}

// down is a service that does not answer.
type down struct{ service }

func (d down) Unwrap(_ context.Context, name string, _ []byte) (crypt.Key, error) {
	return crypt.Key{}, d.fail(name, keys.ErrUnavailable)
}

func TestAServiceThatIsDownIsNoWrongKey(t *testing.T) {
	ring, s := serviceRing(t)
	entries := story(t, ring)
	_, err := keys.ReadChain(t.Context(), keys.NewRing(map[string]keys.Provider{"local": down{s}}), entries, keys.Trust{})
	var wrong *keys.WrongKeyError
	if !errors.Is(err, keys.ErrUnavailable) || errors.As(err, &wrong) {
		t.Errorf("got %v, want ErrUnavailable alone", err)
	}
	_, err = keys.StartChain(t.Context(), keys.NewRing(map[string]keys.Provider{"local": down{s}}), rand.Reader, ref("one"), stamp, json.RawMessage(`{}`))
	if !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("a wrap that was not seen to unwrap: %v, want ErrUnavailable", err)
	}
}
