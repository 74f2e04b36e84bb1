package crypt

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

type wrapVector struct {
	Name           string
	Principal      string
	Archive, Epoch ID
	Wrap           Wrap
	Expect         string
	EpochKey       string `json:"epoch_key"`
}

func hexKey(t testing.TB, digits string) Key {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWrapVectors(t *testing.T) {
	outcomes := map[string]error{"ok": nil, "refused": ErrUnwrap, "malformed": ErrWrap}
	for _, v := range readVectors[wrapVector](t, "wrap.json") {
		want, known := outcomes[v.Expect]
		if !known {
			t.Fatalf("%s: unknown outcome %q", v.Name, v.Expect)
		}
		key, err := UnwrapKey(hexKey(t, v.Principal), v.Wrap, v.Archive, v.Epoch)
		switch {
		case !errors.Is(err, want):
			t.Errorf("%s: got %v, want %v", v.Name, err, want)
		case want != nil && !key.IsZero():
			t.Errorf("%s: a key came out beside the error", v.Name)
		case want == nil && !key.Equal(hexKey(t, v.EpochKey)):
			t.Errorf("%s: another key came out", v.Name)
		}
	}
}

var testBinding = Binding{Archive: ID{1}, Epoch: ID{2}, Provider: "local", Key: "wal-2026"}

func TestWrapRoundTrip(t *testing.T) {
	principal, epochKey := hexKey(t, strings.Repeat("11", 32)), hexKey(t, strings.Repeat("22", 32))
	b := testBinding
	w, err := WrapKey(rand.Reader, principal, epochKey, b)
	if err != nil {
		t.Fatal(err)
	}
	if w.Provider != b.Provider || w.Key != b.Key || w.Kind != WrapLocal {
		t.Errorf("the wrap names %s %s/%s", w.Kind, w.Provider, w.Key)
	}
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back Wrap
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, w) {
		t.Fatalf("JSON %s became %v, %v", text, back, err)
	}
	got, err := UnwrapKey(principal, back, b.Archive, b.Epoch)
	if err != nil || !got.Equal(epochKey) {
		t.Errorf("unwrapped %v, %v", got, err)
	}
}

func TestWrapsOfOneKeyDiffer(t *testing.T) {
	principal, epochKey := hexKey(t, strings.Repeat("11", 32)), hexKey(t, strings.Repeat("22", 32))
	sameSalt := func() io.Reader { return bytes.NewReader(make([]byte, 32)) }
	one, err1 := WrapKey(sameSalt(), principal, epochKey, testBinding)
	two, err2 := WrapKey(sameSalt(), principal, epochKey, testBinding)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one.Nonce, two.Nonce) || bytes.Equal(one.Box, two.Box) {
		t.Error("nonce or box repeats although the generator's salt does")
	}
}

func TestWrapRefusals(t *testing.T) {
	short, long := hexKey(t, strings.Repeat("11", 16)), hexKey(t, strings.Repeat("22", 32))
	named := func(provider, key string) Binding { return Binding{ID{1}, ID{2}, provider, key} }
	for _, test := range []struct {
		name                string
		principal, epochKey Key
		binding             Binding
		want                error
	}{
		{"principal of 16 bytes", short, long, testBinding, ErrKeyLength},
		{"no principal", Key{}, long, testBinding, ErrKeyLength},
		{"epoch key of 16 bytes", long, short, testBinding, ErrKeyLength},
		{"no epoch key", long, Key{}, testBinding, ErrKeyLength},
		{"no provider name", long, long, named("", "key"), ErrWrap},
		{"address as provider", long, long, named("https://keys", "key"), ErrWrap},
		{"key name too long", long, long, named("local", strings.Repeat("k", 129)), ErrWrap},
	} {
		w, err := WrapKey(rand.Reader, test.principal, test.epochKey, test.binding)
		if !errors.Is(err, test.want) || w.Box != nil {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	w, err := WrapKey(rand.Reader, long, long, testBinding)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := UnwrapKey(short, w, ID{1}, ID{2}); !errors.Is(err, ErrKeyLength) {
		t.Errorf("unwrap with 16 bytes: got %v, want %v", err, ErrKeyLength)
	}
	if _, err := WrapKey(strings.NewReader("short"), long, long, testBinding); err != io.ErrUnexpectedEOF {
		t.Errorf("without randomness: got %v", err)
	}
}

func TestWrapCheckBoundsOtherKinds(t *testing.T) {
	sized := func(salt, nonce, box int) Wrap {
		return Wrap{"transit", "vault", "wal", make([]byte, salt), make([]byte, nonce), make([]byte, box)}
	}
	for _, test := range []struct {
		name string
		wrap Wrap
		ok   bool
	}{
		{"box alone", sized(0, 0, 90), true},
		{"largest", sized(64, 64, 4096), true},
		{"no box", sized(0, 0, 0), false},
		{"box too large", sized(0, 0, 4097), false},
		{"salt too large", sized(65, 0, 1), false},
		{"nonce too large", sized(0, 65, 1), false},
	} {
		if err := test.wrap.Check(); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestValidName(t *testing.T) {
	for _, s := range []string{"a", "Z9", "wal-2026", "a.b_c-d", "..", strings.Repeat("x", 128)} {
		if !ValidName(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", " ", "a b", "a/b", "a:b", "a\x00", "a\n", "ä", `a"`, `a\`, strings.Repeat("x", 129)} {
		if ValidName(s) {
			t.Errorf("%q is accepted", s)
		}
	}
}

// FuzzWrap holds that no wrap but a known one opens.
func FuzzWrap(f *testing.F) {
	vectors := readVectors[wrapVector](f, "wrap.json")
	for _, v := range vectors {
		text, err := json.Marshal(v.Wrap)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	principal, good := hexKey(f, vectors[0].Principal), vectors[0]
	f.Fuzz(func(t *testing.T, text []byte) {
		var w Wrap
		if json.Unmarshal(text, &w) != nil {
			return
		}
		if _, err := UnwrapKey(principal, w, good.Archive, good.Epoch); err == nil && !reflect.DeepEqual(w, good.Wrap) {
			t.Errorf("opened %s", text)
		}
	})
}
