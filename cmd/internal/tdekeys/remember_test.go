package tdekeys_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/cmd/internal/tdekeys"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

func TestRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, down := 0, errors.New("down")
		fail := down
		get := tdekeys.Remember(func(context.Context, tde.Provider, string) (crypt.Key, error) {
			asked++
			return crypt.Key{}, fail
		}, time.Minute)
		a, b := tde.Provider{ID: -1, Name: "a"}, tde.Provider{ID: -1, Name: "b"}
		steps := []struct {
			name     string
			provider tde.Provider
			key      string
			wait     time.Duration
			fail     error
			asked    int
		}{
			{"a failure", a, "k", 0, down, 1},
			{"is not remembered", a, "k", 0, nil, 2},
			{"a key is", a, "k", 0, down, 2},
			{"not one of another name", a, "l", 0, nil, 3},
			{"not one of another provider", b, "k", 0, nil, 4},
			{"for its time", a, "k", 59 * time.Second, down, 4},
			{"and no longer", a, "k", 2 * time.Second, nil, 5},
		}
		for _, s := range steps {
			time.Sleep(s.wait)
			fail = s.fail
			if _, err := get(t.Context(), s.provider, s.key); asked != s.asked || err != nil && !errors.Is(err, s.fail) {
				t.Errorf("%s: asked %d times, want %d; %v", s.name, asked, s.asked, err)
			}
		}
	})
}
