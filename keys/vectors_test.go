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

	"filippo.io/age"

	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

var writeVectors = flag.Bool("write-vectors", false, "make the chain vectors if they are missing")

// vectorFiles are the vectors, and the stories that they were made of.
var vectorFiles = map[string]func(*testing.T, *keys.Ring, escrow.Recipient) [][]byte{
	"../fixtures/keys/chain.json":  func(t *testing.T, r *keys.Ring, _ escrow.Recipient) [][]byte { return story(t, r) },
	"../fixtures/keys/escrow.json": longStory,
}

// vector is a key chain of version 1 as it was written once, and what reading
// it must always give. Released vectors never change.
type vector struct {
	MadeBy     string            `json:"made_by"`
	Principals map[string]string `json:"principals"`         // name: key, hexadecimal; throw-away
	Identity   string            `json:"identity,omitempty"` // of age, which opens all epochs too; throw-away
	Entries    []string          `json:"entries"`
	Anchor     string            `json:"anchor"`
	SealKeys   []string          `json:"seal_keys"` // of epoch 1, 2, ...
}

func TestChainVectors(t *testing.T) {
	for file, tell := range vectorFiles {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, err := os.Stat(file); *writeVectors && os.IsNotExist(err) {
				makeVector(t, file, tell)
			}
			v := readVector(t, file)
			p := fixed{}
			for name, key := range v.Principals {
				p[name] = unhex(t, key)
			}
			v.check(t, keys.NewRing(map[string]keys.Provider{"local": p}))
			if v.Identity != "" {
				v.check(t, inSafe(parseIdentity(t, v.Identity)))
			}
		})
	}
}

func readVector(t testing.TB, file string) (v vector) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (v vector) check(t *testing.T, ring *keys.Ring) {
	t.Helper()
	anchor, err := keys.ParseAnchor(v.Anchor)
	if err != nil {
		t.Fatal(err)
	}
	var entries [][]byte
	for _, e := range v.Entries {
		entries = append(entries, []byte(e))
	}
	c, err := keys.ReadChain(t.Context(), ring, entries, keys.Trust{Anchor: &anchor})
	if err != nil {
		t.Fatal(err)
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

// longStory has every member that an entry can have, and one recipient in
// escrow all the time.
func longStory(t *testing.T, ring *keys.Ring, to escrow.Recipient) [][]byte {
	t.Helper()
	entries := story(t, ring)
	c := read(t, ring, entries)
	add := func(entry []byte, err error) { entries = append(entries, grow(t, c, entry, err)) }
	add(c.AddEscrow(t.Context(), to, stamp))
	brief := newIdentity(t).Recipient()
	add(c.AddEscrow(t.Context(), brief, stamp))
	add(c.Retire(ref("one"), stamp))
	add(c.RemoveEscrow(t.Context(), rand.Reader, brief, stamp))
	add(c.Rotate(t.Context(), rand.Reader, ref("three"), stamp))
	add(c.Rewrap(t.Context(), rand.Reader, ref("two"), ref("three"), stamp))
	return entries
}

func parseIdentity(t *testing.T, text string) escrow.Identity {
	t.Helper()
	ids, err := escrow.ParseIdentities([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
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
func makeVector(t *testing.T, file string, tell func(*testing.T, *keys.Ring, escrow.Recipient) [][]byte) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	v := vector{MadeBy: "package keys, version 1", Principals: map[string]string{}, Identity: id.String()}
	p := fixed{}
	for _, name := range []string{"one", "two", "three"} {
		k, err := crypt.RandomKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p[name], v.Principals[name] = k, hex.EncodeToString(k.Bytes())
	}
	ring := keys.NewRing(map[string]keys.Provider{"local": p})
	entries := tell(t, ring, parseIdentity(t, v.Identity).Recipient())
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
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
