package keystest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"walarchive/crypt"
	"walarchive/keys"
)

// TestWrapper checks a provider whose keys never leave their service. open
// makes one on a service without keys.
func TestWrapper(t *testing.T, open func(t *testing.T) keys.Wrapper) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, keys.Wrapper)
	}{
		{"what was wrapped unwraps", testWrap},
		{"a box opens with its own key only", testWrapOtherKey},
		{"an altered box does not open", testWrapAltered},
		{"a missing key is ErrNoKey", testWrapNoKey},
		{"an existing key stays", testMakeTaken},
		{"keys never come out", testWrapStays},
		{"an empty name is refused", testWrapEmptyName},
		{"an ended context ends a call", testWrapContext},
		{"errors name key and service and show no secret", testWrapErrors},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
	if _, ok := open(t).(keys.Rewrapper); ok {
		t.Run("a box of the newest version is not renewed", func(t *testing.T) { testRewrap(t, open(t).(keys.Rewrapper)) })
	}
}

// testRewrap knows no way to make a newer version: drivers test that.
func testRewrap(t *testing.T, p keys.Rewrapper) {
	_, box := wrapped(t, p, "one")
	if got, err := p.Rewrap(t.Context(), "one", box); err != nil || !bytes.Equal(got, box) {
		t.Errorf("got %q, %v, want the box as it was", got, err)
	}
	if _, err := p.Rewrap(t.Context(), "absent", box); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("with no such key: %v, want ErrNoKey", err)
	}
	if _, err := p.Rewrap(t.Context(), "one", box[:len(box)-1]); !errors.Is(err, crypt.ErrUnwrap) {
		t.Errorf("a box cut short: %v, want ErrUnwrap", err)
	}
}

// wrapped makes the key called name and wraps a secret with it.
func wrapped(t *testing.T, p keys.Wrapper, name string) (crypt.Key, []byte) {
	t.Helper()
	if err := p.Make(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	secret, err := crypt.NewKey(sequence(32))
	if err != nil {
		t.Fatal(err)
	}
	box, err := p.Wrap(t.Context(), name, secret)
	if err != nil {
		t.Fatal(err)
	}
	return secret, box
}

func testWrap(t *testing.T, p keys.Wrapper) {
	secret, box := wrapped(t, p, "one")
	w := crypt.Wrap{Kind: p.Kind(), Provider: "p", Key: "one", Box: box}
	if err := w.Check(); err != nil {
		t.Errorf("the box fits no wrap: %v", err)
	}
	if bytes.Contains(box, secret.Bytes()) {
		t.Error("the box shows the secret")
	}
	got, err := p.Unwrap(t.Context(), "one", box)
	if err != nil || !got.Equal(secret) {
		t.Errorf("got another secret, or error %v", err)
	}
}

func testWrapOtherKey(t *testing.T, p keys.Wrapper) {
	_, box := wrapped(t, p, "one")
	if err := p.Make(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	wantError(t, crypt.ErrUnwrap)(p.Unwrap(t.Context(), "two", box))
}

func testWrapAltered(t *testing.T, p keys.Wrapper) {
	_, box := wrapped(t, p, "one")
	for i := range box {
		altered := bytes.Clone(box)
		altered[i] ^= 1
		if key, err := p.Unwrap(t.Context(), "one", altered); err == nil || !key.IsZero() {
			t.Errorf("opened with byte %d of %d altered", i, len(box))
		}
	}
	wantError(t, crypt.ErrUnwrap)(p.Unwrap(t.Context(), "one", nil))
	wantError(t, crypt.ErrUnwrap)(p.Unwrap(t.Context(), "one", box[:len(box)-1]))
	wantError(t, crypt.ErrUnwrap)(p.Unwrap(t.Context(), "one", append(bytes.Clone(box), box...)))
}

func testWrapNoKey(t *testing.T, p keys.Wrapper) {
	secret, box := wrapped(t, p, "one")
	if _, err := p.Wrap(t.Context(), "absent", secret); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("Wrap: %v, want ErrNoKey", err)
	}
	wantError(t, keys.ErrNoKey)(p.Unwrap(t.Context(), "absent", box))
}

func testMakeTaken(t *testing.T, p keys.Wrapper) {
	secret, box := wrapped(t, p, "one")
	if err := p.Make(t.Context(), "one"); !errors.Is(err, keys.ErrKeyExists) {
		t.Errorf("got error %v, want ErrKeyExists", err)
	}
	if got, err := p.Unwrap(t.Context(), "one", box); err != nil || !got.Equal(secret) {
		t.Errorf("got another secret, or error %v", err)
	}
}

func testWrapStays(t *testing.T, p keys.Wrapper) {
	wrapped(t, p, "one")
	wantError(t, keys.ErrBadKey)(p.Key(t.Context(), "one"))
}

func testWrapEmptyName(t *testing.T, p keys.Wrapper) {
	secret, box := wrapped(t, p, "one")
	if err := p.Make(t.Context(), ""); !errors.Is(err, keys.ErrName) {
		t.Errorf("Make: %v, want ErrName", err)
	}
	if _, err := p.Wrap(t.Context(), "", secret); !errors.Is(err, keys.ErrName) {
		t.Errorf("Wrap: %v, want ErrName", err)
	}
	wantError(t, keys.ErrName)(p.Unwrap(t.Context(), "", box))
}

func testWrapContext(t *testing.T, p keys.Wrapper) {
	secret, box := wrapped(t, p, "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Make(ctx, "two"); !errors.Is(err, context.Canceled) {
		t.Errorf("Make: %v, want %v", err, context.Canceled)
	}
	if _, err := p.Wrap(ctx, "one", secret); !errors.Is(err, context.Canceled) {
		t.Errorf("Wrap: %v, want %v", err, context.Canceled)
	}
	wantError(t, context.Canceled)(p.Unwrap(ctx, "one", box))
}

func testWrapErrors(t *testing.T, p keys.Wrapper) {
	secret, _ := wrapped(t, p, "one")
	_, err := p.Wrap(t.Context(), "absent", secret)
	var e *keys.Error
	if !errors.As(err, &e) || e.Key != "absent" || e.Provider == "" || e.Hint() == "" {
		t.Fatalf("got %v, want a *keys.Error with key, service and hint", err)
	}
	if text := fmt.Sprintf("%v %+v", err, e); strings.Contains(text, string(secret.Bytes()[:8])) {
		t.Errorf("the error shows the secret: %s", text)
	}
}
