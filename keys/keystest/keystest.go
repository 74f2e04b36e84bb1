// Package keystest is the promise of keys.Provider as a test suite: every
// driver runs it, in one line.
package keystest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"walarchive/crypt"
	"walarchive/keys"
)

// Open makes a provider on a key service without keys, and the way to put
// keys of any bytes into that service behind the provider's back.
type Open func(t *testing.T) (p keys.Provider, put func(name string, key []byte))

// TestProvider checks a provider, and Create if it is a keys.Creator.
func TestProvider(t *testing.T, open Open) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"keys of 16 and 32 bytes come back as they are", testKeys},
		{"a missing key is ErrNoKey", testNoKey},
		{"a key of another length is ErrBadKey", testBadKey},
		{"an empty name is refused and is no missing key", testEmptyName},
		{"an ended context ends a call", testContext},
		{"callers own their keys", testOwnership},
		{"calls may run at once", testConcurrent},
		{"errors name key and service and show no secret", testErrors},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open) })
	}
	if p, _ := open(t); isCreator(p) {
		testCreator(t, open)
	}
}

func isCreator(p keys.Provider) bool {
	_, ok := p.(keys.Creator)
	return ok
}

func testKeys(t *testing.T, open Open) {
	p, put := open(t)
	want := map[string][]byte{"short": sequence(16), "long": sequence(32), "with.dots-and_more": bytes.Repeat([]byte{0}, 32)}
	for name, b := range want {
		put(name, b)
	}
	for name, b := range want {
		key, err := p.Key(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key.Bytes(), b) {
			t.Errorf("key %q: got other bytes than were put", name)
		}
	}
}

func testNoKey(t *testing.T, open Open) {
	p, put := open(t)
	put("present", sequence(32))
	wantError(t, keys.ErrNoKey)(p.Key(t.Context(), "absent"))
	wantError(t, keys.ErrNoKey)(p.Key(t.Context(), "presen"))
}

func testBadKey(t *testing.T, open Open) {
	p, put := open(t)
	put("odd", sequence(24))
	wantError(t, keys.ErrBadKey)(p.Key(t.Context(), "odd"))
}

func testEmptyName(t *testing.T, open Open) {
	p, put := open(t)
	put("present", sequence(32))
	wantError(t, keys.ErrName)(p.Key(t.Context(), ""))
}

func testContext(t *testing.T, open Open) {
	p, put := open(t)
	put("present", sequence(32))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, context.Canceled)(p.Key(ctx, "present"))
}

func testOwnership(t *testing.T, open Open) {
	p, put := open(t)
	put("present", sequence(32))
	first, err := p.Key(t.Context(), "present")
	if err != nil {
		t.Fatal(err)
	}
	first.Wipe()
	second, err := p.Key(t.Context(), "present")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(second.Bytes(), sequence(32)) {
		t.Error("wiping one caller's key changed the next one's")
	}
}

func testConcurrent(t *testing.T, open Open) {
	p, put := open(t)
	put("present", sequence(32))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			key, err := p.Key(t.Context(), "present")
			if err != nil || !bytes.Equal(key.Bytes(), sequence(32)) {
				t.Errorf("got another key, or error %v", err)
			}
		})
	}
	wg.Wait()
}

func testErrors(t *testing.T, open Open) {
	p, put := open(t)
	put("odd", sequence(24))
	for _, name := range []string{"absent", "odd"} {
		_, err := p.Key(t.Context(), name)
		var e *keys.Error
		if !errors.As(err, &e) || e.Key != name || e.Provider == "" || e.Hint() == "" {
			t.Errorf("key %q: got %v, want a *keys.Error with key, service and hint", name, err)
		}
		if text := fmt.Sprintf("%v %+v", err, e); strings.Contains(strings.ToLower(text), hex.EncodeToString(sequence(8))) {
			t.Errorf("the error shows key bytes: %s", text)
		}
	}
}

// sequence is n distinct bytes.
func sequence(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xA0 + byte(i)
	}
	return b
}

// wantError checks the results of a call that must fail with the given error.
func wantError(t *testing.T, want error) func(crypt.Key, error) {
	t.Helper()
	return func(key crypt.Key, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("got error %v, want %v", err, want)
		}
		if !key.IsZero() {
			t.Error("got a key along with the error")
		}
	}
}
