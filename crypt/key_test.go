package crypt

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// secret is a key whose bytes are easy to find in any notation.
func secret(t testing.TB) Key {
	t.Helper()
	k, err := NewKey([]byte("SECRETsecretSECRETsecretSECRETxx"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// leaks reports whether text shows a part of secret: as text, in hexadecimal,
// in base64 or as a list of numbers.
func leaks(text string) bool {
	text = strings.ToLower(text)
	for _, part := range []string{"secret", "736563726574", "c2vjcmv0", "u0vduk", "115 101 99", "83 69 67", "115,101,99", "83,69,67", "0x53, 0x45", "0x73, 0x65"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

type exported struct{ Key Key }

type unexported struct {
	key Key
	ptr *Key
}

// holders are the ways in which a key may lie in what is printed.
func holders(k Key) map[string]any {
	return map[string]any{
		"key":                k,
		"pointer":            &k,
		"exported field":     exported{k},
		"unexported field":   unexported{k, &k},
		"pointer to struct":  &unexported{k, &k},
		"slice":              []Key{k},
		"array":              [1]Key{k},
		"map value":          map[string]Key{"k": k},
		"slice of pointers":  []*Key{&k},
		"struct in slice":    []unexported{{k, &k}},
		"pointer map of any": &map[string]any{"k": k},
		"error operand":      fmt.Errorf("with %v", k),
	}
}

func TestKeyHidesFromPrintVerbs(t *testing.T) {
	for name, v := range holders(secret(t)) {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flag := range []string{"", "+", "#", " ", "0", "-", "# ", "+#", "60.60"} {
				format := "%" + flag + string(verb)
				if got := fmt.Sprintf(format, v); leaks(got) {
					t.Errorf("%s of %s shows the key: %s", format, name, got)
				}
			}
		}
		if got := fmt.Sprint(v) + fmt.Sprintln(v); leaks(got) {
			t.Errorf("printing a %s shows the key: %s", name, got)
		}
	}
}

func TestKeyHidesFromEncodersAndLogs(t *testing.T) {
	for name, v := range holders(secret(t)) {
		var out bytes.Buffer
		j, _ := json.Marshal(v)
		out.Write(j)
		x, _ := xml.Marshal(v)
		out.Write(x)
		_ = gob.NewEncoder(&out).Encode(v)
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			log := slog.New(h)
			log.Info("message", "key", v)
			log.With("key", v).WithGroup("group").Info("message", slog.Group("inner", "key", v))
		}
		if leaks(out.String()) {
			t.Errorf("an encoder shows the key in a %s: %q", name, out.String())
		}
	}
}

// TestLeaks proves that the tests above would notice.
func TestLeaks(t *testing.T) {
	b := secret(t).Bytes()
	for _, format := range []string{"%s", "%x", "%X", "%v", "%d", "%#v", "%q"} {
		if got := fmt.Sprintf(format, b); !leaks(got) {
			t.Errorf("%s of the bytes goes unnoticed: %s", format, got)
		}
	}
	if got, _ := json.Marshal(b); !leaks(string(got)) {
		t.Errorf("base64 goes unnoticed: %s", got)
	}
}

func TestNewKeyLength(t *testing.T) {
	for n := range 65 {
		k, err := NewKey(make([]byte, n))
		if want := n == 16 || n == 32; (err == nil) != want || !want && !errors.Is(err, ErrKeyLength) {
			t.Errorf("%d bytes: %v, %v", n, k, err)
		}
	}
}

func TestNewKeyCopies(t *testing.T) {
	b := make([]byte, 32)
	k, err := NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 1
	if k.Bytes()[0] != 0 {
		t.Error("the key changed with the slice it was made from")
	}
}

func TestKeyEqual(t *testing.T) {
	a, b := secret(t), secret(t)
	if !a.Equal(b) {
		t.Error("two keys of the same bytes differ")
	}
	b.Bytes()[31]++
	if a.Equal(b) || a.Equal(Key{}) {
		t.Error("different keys are equal")
	}
}

func TestWipeReachesCopies(t *testing.T) {
	k := secret(t)
	dup := k
	k.Wipe()
	if !bytes.Equal(dup.Bytes(), make([]byte, 32)) {
		t.Error("a copy of a wiped key still has its bytes")
	}
}

func TestDerive(t *testing.T) {
	k := secret(t)
	same, other, salted := k.Derive(nil, "one"), k.Derive(nil, "two"), k.Derive([]byte{1}, "one")
	if !same.Equal(k.Derive(nil, "one")) || same.Equal(other) || same.Equal(salted) || same.Equal(k) {
		t.Error("derived keys do not depend on salt and purpose alone")
	}
	if got := (Key{}).Derive(nil, "one"); !got.IsZero() {
		t.Error("a key comes out of no key")
	}
}

func TestFingerprint(t *testing.T) {
	k := secret(t)
	if f := k.Fingerprint(); len(f) != 16 || leaks(f) || f != k.Fingerprint() {
		t.Errorf("fingerprint %q", f)
	}
	if f := (Key{}).Fingerprint(); f != "none" {
		t.Errorf("fingerprint of no key: %q", f)
	}
}
