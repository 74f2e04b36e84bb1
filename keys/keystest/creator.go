package keystest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"walarchive/keys"
)

func testCreator(t *testing.T, open Open) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, keys.Creator)
	}{
		{"a created key comes back", testCreate},
		{"an existing key stays", testCreateTaken},
		{"of several creators one succeeds", testCreateRace},
		{"an ended context creates nothing", testCreateContext},
		{"an empty name creates nothing", testCreateEmptyName},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := open(t)
			tt.test(t, p.(keys.Creator))
		})
	}
}

func testCreate(t *testing.T, p keys.Creator) {
	var seen [][]byte
	for _, name := range []string{"one", "two"} {
		made, err := p.Create(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if len(made.Bytes()) != 32 {
			t.Errorf("got a key of %d bytes, want 32", len(made.Bytes()))
		}
		seen = append(seen, made.Bytes())
	}
	if bytes.Equal(seen[0], seen[1]) {
		t.Error("two new keys are equal")
	}
	wantKey(t, p, "one", seen[0])
	wantKey(t, p, "two", seen[1])
}

func testCreateTaken(t *testing.T, p keys.Creator) {
	made, err := p.Create(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, keys.ErrKeyExists)(p.Create(t.Context(), "one"))
	wantKey(t, p, "one", made.Bytes())
}

func testCreateRace(t *testing.T, p keys.Creator) {
	for i := range 10 {
		raceFor(t, p, fmt.Sprintf("name-%d", i))
	}
}

// raceFor lets several creators loose on one name at once.
func raceFor(t *testing.T, p keys.Creator, name string) {
	t.Helper()
	var won atomic.Pointer[[]byte]
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			<-start
			key, err := p.Create(t.Context(), name)
			if errors.Is(err, keys.ErrKeyExists) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if b := key.Bytes(); !won.CompareAndSwap(nil, &b) {
				t.Error("two creators of one name succeeded")
			}
		})
	}
	close(start)
	wg.Wait()
	if won.Load() == nil {
		t.Fatal("no creator succeeded")
	}
	wantKey(t, p, name, *won.Load())
}

func testCreateContext(t *testing.T, p keys.Creator) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, context.Canceled)(p.Create(ctx, "one"))
	if _, err := p.Create(t.Context(), "one"); err != nil {
		t.Errorf("the name is taken: %v", err)
	}
}

func testCreateEmptyName(t *testing.T, p keys.Creator) {
	wantError(t, keys.ErrName)(p.Create(t.Context(), ""))
}

func wantKey(t *testing.T, p keys.Provider, name string, want []byte) {
	t.Helper()
	key, err := p.Key(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key.Bytes(), want) {
		t.Errorf("key %q: got other bytes than were created", name)
	}
}
