package vault

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/keystest"
)

func newTransitProvider(t *testing.T, o Options) *Transit {
	t.Helper()
	p, err := NewTransit(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTransitConformance(t *testing.T) {
	keystest.TestWrapper(t, func(t *testing.T) keys.Wrapper {
		return newTransitProvider(t, newFake(t).options(t, "transit"))
	})
}

var box60 = "vault:v1:" + strings.Repeat("A", 80)

func TestTransitRequests(t *testing.T) {
	f := newFake(t)
	o := f.options(t, "transit")
	o.Namespace = "ns1"
	p := newTransitProvider(t, o)
	if err := p.Make(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	secret, err := crypt.NewKey(append(key16, key16...))
	if err != nil {
		t.Fatal(err)
	}
	box, err := p.Wrap(t.Context(), "one", secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Unwrap(t.Context(), "one", box); err != nil {
		t.Fatal(err)
	}
	want := []struct{ line, body string }{
		{"GET /v1/transit/keys/one", ""},
		{"PUT /v1/transit/keys/one", "{}"},
		{"GET /v1/transit/keys/one", ""},
		{"PUT /v1/transit/encrypt/one", `{"plaintext":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}`},
		{"PUT /v1/transit/decrypt/one", `{"ciphertext":"` + string(box) + `"}`},
	}
	if len(f.seen) != len(want) {
		t.Fatalf("got %d requests, want %d", len(f.seen), len(want))
	}
	for i, s := range f.seen {
		if s.line != want[i].line || s.body != want[i].body || s.header.Get("X-Vault-Namespace") != "ns1" {
			t.Errorf("request %d: got %s %s", i, s.line, s.body)
		}
	}
}

// A box of an older version is renewed without the secret leaving the service.
func TestTransitRewrap(t *testing.T) {
	f := newFake(t)
	p := newTransitProvider(t, f.options(t, "transit"))
	if err := p.Make(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	secret, err := crypt.NewKey(append(key16, key16...))
	if err != nil {
		t.Fatal(err)
	}
	old, err := p.Wrap(t.Context(), "one", secret)
	if err != nil {
		t.Fatal(err)
	}
	f.newer = 1
	box, err := p.Rewrap(t.Context(), "one", old)
	if err != nil || !strings.HasPrefix(string(box), "vault:v2:") {
		t.Fatalf("got %q, %v, want a box of version 2", box, err)
	}
	last := f.seen[len(f.seen)-1]
	if last.line != "PUT /v1/transit/rewrap/one" || last.body != `{"ciphertext":"`+string(old)+`"}` {
		t.Errorf("asked %s %s", last.line, last.body)
	}
	if got, err := p.Unwrap(t.Context(), "one", box); err != nil || !got.Equal(secret) {
		t.Errorf("got another secret, or error %v", err)
	}
	_, err = newTransitProvider(t, answering(t, 200, `{"data":{"ciphertext":"vault:v2:short"}}`)).Rewrap(t.Context(), "one", old)
	checkError(t, err, keys.ErrBadKey, "no wrap")
}

// Only what a symmetric key makes of 32 bytes is sent: a wrap by an asymmetric
// key could come from anybody.
func TestBoxes(t *testing.T) {
	f := newFake(t)
	p := newTransitProvider(t, f.options(t, "transit"))
	tests := []struct {
		name, box string
		ok        bool
	}{
		{"AES-GCM", box60, true},
		{"XChaCha20", "vault:v12:" + strings.Repeat("A", 96), true},
		{"RSA-2048", "vault:v1:" + strings.Repeat("A", 342) + "==", false},
		{"other length", "vault:v1:" + strings.Repeat("A", 84), false},
		{"padding", "vault:v1:" + strings.Repeat("A", 79) + "=", false},
		{"version 0, an alias of 1", "vault:v0:" + strings.Repeat("A", 80), false},
		{"version 01", "vault:v01:" + strings.Repeat("A", 80), false},
		{"no version", "vault:" + strings.Repeat("A", 80), false},
		{"line behind", box60 + "\n", false},
		{"quote", `vault:v1:"` + strings.Repeat("A", 79), false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.seen = nil
			_, err := p.Unwrap(t.Context(), "one", []byte(tt.box))
			if tt.ok != (len(f.seen) == 1) || !tt.ok && !errors.Is(err, crypt.ErrUnwrap) {
				t.Errorf("sent %d requests, error %v", len(f.seen), err)
			}
		})
	}
}

func TestTransitAnswers(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   error
		text   string
	}{
		{"no key", 400, `{"errors":["encryption key not found"]}`, keys.ErrNoKey, ""},
		{"retired version", 400, `{"errors":["ciphertext or signature version is disallowed by policy (too old)"]}`, fs.ErrPermission, "too old"},
		{"derived key", 400, `{"errors":["missing 'context' for key derivation"]}`, keys.ErrBadKey, "context"},
		{"denied", 403, `{"errors":["permission denied"]}`, fs.ErrPermission, ""},
		{"sealed", 503, `{"errors":["Vault is sealed"]}`, keys.ErrUnavailable, "sealed"},
		{"trouble", 500, `{"errors":["internal error"]}`, keys.ErrUnavailable, ""},
		{"no engine", 404, `{"errors":["no handler for route \"x\""]}`, keys.ErrUnavailable, "no handler"},
		{"rate limit", 429, `{"errors":["rate limit quota exceeded"]}`, keys.ErrUnavailable, ""},
		{"no plaintext", 200, `{"data":{}}`, keys.ErrBadKey, ""},
		{"not JSON", 200, `<html>`, keys.ErrBadKey, ""},
		{"short plaintext", 200, `{"data":{"plaintext":"AAAA"}}`, keys.ErrBadKey, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newTransitProvider(t, answering(t, tt.status, tt.body)).Unwrap(t.Context(), "k", []byte(box60))
			checkError(t, err, tt.want, tt.text)
		})
	}
	for _, text := range []string{"cipher: message authentication failed", "invalid ciphertext: version is too new", "invalid ciphertext: unable to decrypt"} {
		_, err := newTransitProvider(t, answering(t, 400, `{"errors":["`+text+`"]}`)).Unwrap(t.Context(), "k", []byte(box60))
		if !errors.Is(err, crypt.ErrUnwrap) {
			t.Errorf("%s: got %v, want ErrUnwrap", text, err)
		}
	}
}

// What must not wrap an epoch key is refused before it does.
func TestKeysThatMustNotWrap(t *testing.T) {
	tests := []struct {
		name, body string
		status     int
		want       error
	}{
		{"asymmetric", `{"data":{"type":"rsa-4096","supports_encryption":true}}`, 200, keys.ErrBadKey},
		{"for signatures", `{"data":{"type":"ed25519"}}`, 200, keys.ErrBadKey},
		{"of 128 bits", `{"data":{"type":"aes128-gcm96"}}`, 200, keys.ErrBadKey},
		{"derived", `{"data":{"type":"aes256-gcm96","derived":true}}`, 200, keys.ErrBadKey},
		{"deleted", `{"data":{"type":"aes256-gcm96","soft_deleted":true}}`, 200, keys.ErrNoKey},
		{"missing", `{"errors":[]}`, 404, keys.ErrNoKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := serving(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					t.Errorf("went on with %s", r.URL)
				}
				answers(w, tt.status, tt.body)
			})
			secret, err := crypt.NewKey(key16)
			if err != nil {
				t.Fatal(err)
			}
			_, err = newTransitProvider(t, o).Wrap(t.Context(), "k", secret)
			checkError(t, err, tt.want, "")
		})
	}
}

// A service that returns the secret in the clear, or repeats it in an error.
func TestWrapTrustsNoAnswer(t *testing.T) {
	secret, err := crypt.NewKey(append(key16, key16...))
	if err != nil {
		t.Fatal(err)
	}
	const text = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	for _, a := range []struct {
		status int
		body   string
		want   error
	}{
		{200, `{"data":{"ciphertext":"` + text + `"}}`, keys.ErrBadKey},
		{400, `{"errors":["cannot encrypt ` + text + `"]}`, keys.ErrBadKey},
	} {
		o := serving(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				answers(w, 403, `{"errors":["permission denied"]}`)
				return
			}
			answers(w, a.status, a.body)
		})
		_, err := newTransitProvider(t, o).Wrap(t.Context(), "k", secret)
		checkError(t, err, a.want, "")
		if strings.Contains(err.Error(), text) {
			t.Errorf("shows the secret: %v", err)
		}
	}
}
