package escrow

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"walarchive/crypt"
)

func newKey(t testing.TB) crypt.Key {
	t.Helper()
	k, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newIdentity is a file as age-keygen writes it, and the identity in it.
func newIdentity(t testing.TB) (string, Identity) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("# created: 2026-03-01T12:00:00Z\n# public key: %s\n%s\n", id.Recipient(), id)
	ids, err := ParseIdentities([]byte(file))
	if err != nil || len(ids) != 1 {
		t.Fatalf("%d identities, %v", len(ids), err)
	}
	return file, ids[0]
}

func TestWhatWasWrappedUnwraps(t *testing.T) {
	_, id := newIdentity(t)
	_, other := newIdentity(t)
	k := newKey(t)
	w, err := id.Recipient().Wrap(k)
	if err != nil {
		t.Fatal(err)
	}
	if w.Kind != crypt.WrapAge || w.Provider != Provider || w.Key != string(id.Recipient()) || bytes.Contains(w.Box, k.Bytes()) {
		t.Errorf("a wrap of kind %s by %s/%s", w.Kind, w.Provider, w.Key)
	}
	if got, err := id.Unwrap(w); err != nil || !got.Equal(k) {
		t.Errorf("got another key, or error %v", err)
	}
	if _, err := other.Unwrap(w); !errors.Is(err, crypt.ErrUnwrap) {
		t.Errorf("another identity: %v, want ErrUnwrap", err)
	}
	for i := range w.Box {
		altered := w
		altered.Box = bytes.Clone(w.Box)
		altered.Box[i] ^= 1
		if _, err := id.Unwrap(altered); !errors.Is(err, crypt.ErrUnwrap) {
			t.Fatalf("byte %d of %d altered: %v, want ErrUnwrap", i, len(w.Box), err)
		}
	}
	short, err := crypt.NewKey(k.Bytes()[:16])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := id.Recipient().Wrap(short); !errors.Is(err, crypt.ErrKeyLength) {
		t.Errorf("a key of 16 bytes: %v, want ErrKeyLength", err)
	}
}

// What is no epoch key does not come out, though age opens it.
func TestUnwrapWantsAnEpochKey(t *testing.T) {
	_, id := newIdentity(t)
	for name, content := range map[string][]byte{"nothing": nil, "16 bytes": make([]byte, 16), "33 bytes": make([]byte, 33)} {
		t.Run(name, func(t *testing.T) {
			var box bytes.Buffer
			w, err := age.Encrypt(&box, id.id.Recipient())
			if err == nil {
				_, err = w.Write(content)
			}
			if err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			wrap := crypt.Wrap{Kind: crypt.WrapAge, Provider: Provider, Key: string(id.Recipient()), Box: box.Bytes()}
			if _, err := id.Unwrap(wrap); !errors.Is(err, crypt.ErrUnwrap) {
				t.Errorf("got %v, want ErrUnwrap", err)
			}
			wrap.Kind = crypt.WrapTransit
			if _, err := id.Unwrap(wrap); !errors.Is(err, crypt.ErrWrap) {
				t.Errorf("of another kind: %v, want ErrWrap", err)
			}
		})
	}
}

func TestParseRecipient(t *testing.T) {
	file, id := newIdentity(t)
	good := string(id.Recipient())
	if r, err := ParseRecipient(good); err != nil || string(r) != good {
		t.Fatalf("%s: %v, %v", good, r, err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	secret := file[strings.Index(file, "AGE-SECRET"):]
	for name, text := range map[string]string{
		"nothing":                "",
		"upper case":             strings.ToUpper(good),
		"cut off":                good[:len(good)-1],
		"a slip":                 good[:20] + "q" + good[21:len(good)-1] + "b",
		"white space":            good + "\n",
		"the identity":           strings.TrimSpace(secret),
		"post-quantum":           hybrid.Recipient().String(),
		"an SSH key":             "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMrQz",
		"identity in lower case": strings.ToLower(strings.TrimSpace(secret)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseRecipient(text)
			if !errors.Is(err, ErrRecipient) {
				t.Fatalf("got %v, want ErrRecipient", err)
			}
			if len(text) > 20 && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(text[len(text)-20:])) {
				t.Errorf("repeats what may be secret: %v", err)
			}
		})
	}
}

func TestParseIdentities(t *testing.T) {
	file, _ := newIdentity(t)
	second, _ := newIdentity(t)
	if ids, err := ParseIdentities([]byte(file + second)); err != nil || len(ids) != 2 {
		t.Errorf("two of them: %d, %v", len(ids), err)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"empty":             {"", "no age identity"},
		"cut off":           {file[:len(file)-3], "no age identity"},
		"a recipient":       {"age1" + strings.Repeat("q", 58), "no age identity"},
		"encrypted":         {"age-encryption.org/v1\n-> scrypt", "decrypt it with age first"},
		"encrypted, armour": {"-----BEGIN AGE ENCRYPTED FILE-----\n", "decrypt it with age first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseIdentities([]byte(tt.file))
			if !errors.Is(err, ErrIdentity) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want ErrIdentity with %q", err, tt.want)
			}
			if i := strings.Index(tt.file, "AGE-SECRET"); i >= 0 && strings.Contains(err.Error(), tt.file[i+20:i+40]) {
				t.Error("the error shows the identity")
			}
		})
	}
}

func TestIdentityHidesItself(t *testing.T) {
	file, id := newIdentity(t)
	i := strings.Index(file, "AGE-SECRET")
	secret := strings.ToLower(file[i+20 : i+40])
	shown := []string{id.LogValue().String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, id), fmt.Sprintf(verb, &id), fmt.Sprintf(verb, []Identity{id}), fmt.Sprintf(verb, struct{ I Identity }{id}))
	}
	b, err := json.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(shown, string(b)) {
		if strings.Contains(strings.ToLower(s), secret) {
			t.Errorf("shows itself as %s", s)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	_, id := newIdentity(f)
	k := newKey(f)
	w, err := id.Recipient().Wrap(k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.Box)
	f.Fuzz(func(t *testing.T, box []byte) {
		got, err := id.Unwrap(crypt.Wrap{Kind: crypt.WrapAge, Provider: Provider, Key: string(id.Recipient()), Box: box})
		if err == nil && !bytes.Equal(box, w.Box) && got.Equal(k) {
			t.Errorf("an altered box opened: %x", box)
		}
	})
}

func FuzzParseIdentities(f *testing.F) {
	file, _ := newIdentity(f)
	f.Add([]byte(file))
	f.Fuzz(func(t *testing.T, b []byte) {
		if ids, err := ParseIdentities(b); err == nil && len(ids) == 0 {
			t.Error("no identity and no error")
		}
	})
}
