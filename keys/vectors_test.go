package keys_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"walarchive/crypt"
	"walarchive/keys"
)

var writeVectors = flag.Bool("write-vectors", false, "make the chain vectors if they are missing")

const vectorFile = "../fixtures/keys/chain.json"

// vector is a key chain of version 1 as it was written once, and what reading
// it must always give. Released vectors never change.
type vector struct {
	MadeBy     string            `json:"made_by"`
	Principals map[string]string `json:"principals"` // name: key, hexadecimal; throw-away
	Entries    []string          `json:"entries"`
	Anchor     string            `json:"anchor"`
	SealKeys   []string          `json:"seal_keys"` // of epoch 1, 2, ...
}

func TestChainVectors(t *testing.T) {
	if _, err := os.Stat(vectorFile); *writeVectors && os.IsNotExist(err) {
		makeVector(t)
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	p := fixed{}
	for name, key := range v.Principals {
		p[name] = unhex(t, key)
	}
	var entries [][]byte
	for _, e := range v.Entries {
		entries = append(entries, []byte(e))
	}
	c := read(t, keys.NewRing(map[string]keys.Provider{"local": p}), entries)
	if got := c.Anchor().String(); got != v.Anchor {
		t.Errorf("anchor %s, want %s", got, v.Anchor)
	}
	if len(c.Epochs()) != len(v.SealKeys) {
		t.Fatalf("%d epochs, want %d", len(c.Epochs()), len(v.SealKeys))
	}
	for i, e := range c.Epochs() {
		e, err := c.Epoch(t.Context(), e.ID(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(e.SealKey().Bytes()) != v.SealKeys[i] {
			t.Errorf("epoch %d: another seal key", i+1)
		}
	}
}

// fixed is a provider of keys that are known beforehand.
type fixed map[string]crypt.Key

func (f fixed) Key(_ context.Context, name string) (crypt.Key, error) {
	if k, ok := f[name]; ok {
		return k, nil
	}
	return crypt.Key{}, &keys.Error{Provider: "fixed", Key: name, Err: keys.ErrNoKey}
}

func unhex(t *testing.T, s string) crypt.Key {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	k, err := crypt.NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// makeVector writes the file; for a new version of the format only.
func makeVector(t *testing.T) {
	t.Helper()
	v := vector{MadeBy: "package keys, version 1", Principals: map[string]string{}}
	p := fixed{}
	for _, name := range []string{"one", "two"} {
		k, err := crypt.RandomKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p[name], v.Principals[name] = k, hex.EncodeToString(k.Bytes())
	}
	ring := keys.NewRing(map[string]keys.Provider{"local": p})
	entries := story(t, ring)
	c := read(t, ring, entries)
	v.Anchor = c.Anchor().String()
	for _, e := range entries {
		v.Entries = append(v.Entries, string(e))
	}
	for _, e := range c.Epochs() {
		e, err := c.Epoch(t.Context(), e.ID(), nil)
		if err != nil {
			t.Fatal(err)
		}
		v.SealKeys = append(v.SealKeys, hex.EncodeToString(e.SealKey().Bytes()))
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(vectorFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
