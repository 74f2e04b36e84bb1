package keys_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/file"
)

var stamp = keys.Stamp{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Host: "db1"}

// newRing is a ring with a keyring file that holds the named keys.
func newRing(t *testing.T, names ...string) *keys.Ring {
	t.Helper()
	p := file.New(filepath.Join(t.TempDir(), "keyring"))
	for _, n := range names {
		if _, err := p.Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	return keys.NewRing(map[string]keys.Provider{"local": p})
}

func ref(name string) keys.Ref { return keys.Ref{Provider: "local", Key: name} }

// story makes a chain of four entries: start, a record, a rotation, a record.
func story(t *testing.T, ring *keys.Ring) [][]byte {
	t.Helper()
	first, err := keys.StartChain(t.Context(), ring, rand.Reader, ref("one"), stamp, json.RawMessage(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	entries := [][]byte{first}
	c := read(t, ring, entries)
	add := func(b []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Extend(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, b)
	}
	add(c.Record(stamp, json.RawMessage(`{"b":2}`)))
	add(c.Rotate(t.Context(), rand.Reader, ref("two"), stamp))
	add(c.Record(stamp, json.RawMessage(`{"c":3}`)))
	return entries
}

func read(t *testing.T, ring *keys.Ring, entries [][]byte) *keys.Chain {
	t.Helper()
	c, err := keys.ReadChain(t.Context(), ring, entries, keys.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChainTellsItsStory(t *testing.T) {
	ring := newRing(t, "one", "two")
	entries := story(t, ring)
	c := read(t, keys.NewRing(map[string]keys.Provider{"local": provider(t, ring)}), entries)
	if got := len(c.Epochs()); got != 2 {
		t.Fatalf("got %d epochs, want 2", got)
	}
	first, open := c.Epochs()[0], c.Open()
	if open.Number != 2 || open.ID() == first.ID() {
		t.Errorf("open epoch is %d with id %v", open.Number, open.ID())
	}
	if got := first.Wraps(); len(got) != 2 || got[0].Key != "two" || got[1].Key != "one" {
		t.Errorf("wraps of epoch 1: %v, want two before one", got)
	}
	if n, d := c.Tip(); n != 4 || d.IsZero() {
		t.Errorf("tip %d %v", n, d)
	}
	if got := string(c.Entries()[3].Data); got != `{"c":3}` {
		t.Errorf("data of entry 4: %s", got)
	}
	if bytes.Equal(first.SealKey().Bytes(), open.SealKey().Bytes()) {
		t.Error("both epochs have one seal key")
	}
}

// provider fetches through an existing ring, so that another ring can be made
// on the same keys.
func provider(t *testing.T, r *keys.Ring) keys.Provider { t.Helper(); return through{r} }

type through struct{ *keys.Ring }

func (p through) Key(ctx context.Context, name string) (crypt.Key, error) {
	return p.Principal(ctx, ref(name))
}

// only is a provider that has lost all keys but one.
type only struct {
	keys.Provider
	name string
}

func (o only) Key(ctx context.Context, name string) (crypt.Key, error) {
	if name != o.name {
		return crypt.Key{}, &keys.Error{Provider: "test", Key: name, Err: keys.ErrNoKey}
	}
	return o.Provider.Key(ctx, name)
}

func TestChainOpensWithTheNewPrincipalAlone(t *testing.T) {
	ring := newRing(t, "one", "two")
	entries := story(t, ring)
	without := keys.NewRing(map[string]keys.Provider{"local": only{provider(t, ring), "two"}})
	c := read(t, without, entries)
	for _, e := range c.Epochs() {
		if _, err := c.Epoch(t.Context(), e.ID(), nil); err != nil {
			t.Errorf("epoch %d: %v", e.Number, err)
		}
	}
	old := keys.NewRing(map[string]keys.Provider{"local": only{provider(t, ring), "one"}})
	if _, err := keys.ReadChain(t.Context(), old, entries, keys.Trust{}); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("with the old principal alone: %v, want ErrNoKey", err)
	}
}

func TestChainFindsForgery(t *testing.T) {
	ring := newRing(t, "one", "two")
	entries, other := story(t, ring), story(t, ring)
	edit := func(n int, from, to string) [][]byte {
		e := append([][]byte(nil), entries...)
		if !bytes.Contains(e[n-1], []byte(from)) {
			t.Fatalf("entry %d has no %q", n, from)
		}
		e[n-1] = bytes.Replace(e[n-1], []byte(from), []byte(to), 1)
		return e
	}
	cases := map[string][][]byte{
		"no entries":                  {},
		"first missing":               entries[1:],
		"middle missing":              {entries[0], entries[2], entries[3]},
		"reordered":                   {entries[0], entries[2], entries[1], entries[3]},
		"repeated":                    {entries[0], entries[1], entries[1], entries[2]},
		"record changed":              edit(2, `"b":2`, `"b":3`),
		"last record changed":         edit(4, `"c":3`, `"c":4`),
		"host changed":                edit(1, "db1", "db2"),
		"retirement added":            edit(4, `"data"`, `"retire":[{"provider":"local","key":"two"}],"data"`),
		"other spelling":              edit(4, `{"c":3}`, `{"c": 3}`),
		"member repeated":             edit(4, `"host":"db1"`, `"host":"x","host":"db1"`),
		"case folded":                 edit(4, `"host"`, `"Host"`),
		"unknown member":              edit(4, `"data"`, `"date":1,"data"`),
		"MAC missing":                 edit(4, "2:", ":"),
		"MAC of another epoch":        edit(4, "\n2:", "\n1:"),
		"no newline at the end":       append(append([][]byte(nil), entries[:3]...), bytes.TrimSuffix(entries[3], []byte("\n"))),
		"empty entry":                 append(append([][]byte(nil), entries...), []byte{}),
		"entry of another archive":    {entries[0], other[1], entries[2], entries[3]},
		"tail of another archive":     {entries[0], entries[1], entries[2], other[3]},
		"beginning of another":        {other[0], entries[1], entries[2], entries[3]},
		"rotation without its 2 MACs": {entries[0], entries[1], bytes.Replace(entries[2], []byte(" 2:"), []byte("\n2:"), 1), entries[3]},
		"larger than any entry":       append(append([][]byte(nil), entries...), make([]byte, keys.MaxEntrySize+1)),
	}
	for name, forged := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := keys.ReadChain(t.Context(), ring, forged, keys.Trust{}); !errors.Is(err, keys.ErrChain) {
				t.Errorf("got %v, want ErrChain", err)
			}
		})
	}
}

func TestChainNoticesEveryChangedByte(t *testing.T) {
	ring := newRing(t, "one", "two")
	entries := story(t, ring)
	for n := range entries {
		for i := range entries[n] {
			forged := append([][]byte(nil), entries...)
			forged[n] = bytes.Clone(entries[n])
			forged[n][i] ^= 0x04
			if _, err := keys.ReadChain(t.Context(), ring, forged, keys.Trust{}); err == nil {
				t.Fatalf("entry %d, byte %d (%q): the change was not noticed", n+1, i, entries[n][i])
			}
		}
	}
}

// An attacker who can write to the bucket but has no principal key invents a
// whole history.
func TestChainInventedByAStranger(t *testing.T) {
	invented := story(t, newRing(t, "one", "two"))
	ring := newRing(t, "one", "two")
	var wrong *keys.WrongKeyError
	if _, err := keys.ReadChain(t.Context(), ring, invented, keys.Trust{}); !errors.As(err, &wrong) {
		t.Errorf("got %v, want a WrongKeyError", err)
	}
}

func TestChainAnchor(t *testing.T) {
	ring := newRing(t, "one", "two")
	mine, other := read(t, ring, story(t, ring)), story(t, ring)
	anchor, err := keys.ParseAnchor(mine.Anchor().String())
	if err != nil || anchor != mine.Anchor() {
		t.Fatalf("anchor %v does not parse back: %v", mine.Anchor(), err)
	}
	var mismatch *keys.AnchorError
	if _, err := keys.ReadChain(t.Context(), ring, other, keys.Trust{Anchor: &anchor}); !errors.As(err, &mismatch) || !errors.Is(err, keys.ErrChain) {
		t.Errorf("another archive under the same principal: %v, want an AnchorError", err)
	}
	for _, s := range []string{"", ":", "x", strings.Repeat("0", 65), anchor.String() + "0", strings.ToUpper(anchor.String())} {
		if a, err := keys.ParseAnchor(s); err == nil {
			t.Errorf("ParseAnchor(%q) = %v, want an error", s, a)
		}
	}
}

func TestChainNeverGoesBack(t *testing.T) {
	ring := newRing(t, "one", "two")
	entries := story(t, ring)
	c := read(t, ring, entries[:2])
	if err := c.Extend(t.Context(), story(t, ring)[2]); !errors.Is(err, keys.ErrChain) {
		t.Errorf("a foreign entry 3: %v, want ErrChain", err)
	}
	if c.Len() != 2 {
		t.Fatalf("after a refused entry the chain has %d entries, want 2", c.Len())
	}
	if err := c.Extend(t.Context(), entries[2], entries[3]); err != nil {
		t.Fatalf("the true entries behind it: %v", err)
	}
}

func TestChainHidesKeys(t *testing.T) {
	ring := newRing(t, "one", "two")
	c := read(t, ring, story(t, ring))
	e := c.Open()
	secret := fmt.Sprintf("%x", e.SealKey().Bytes())
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		for _, v := range []any{e, &e, c, *c, c.Epochs(), ring} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, secret) {
				t.Errorf("%s of %T shows a key", verb, v)
			}
		}
	}
}

func FuzzChainEntry(f *testing.F) {
	p := file.New(filepath.Join(f.TempDir(), "keyring"))
	if _, err := p.Create(context.Background(), "one"); err != nil {
		f.Fatal(err)
	}
	ring := keys.NewRing(map[string]keys.Provider{"local": p})
	first, err := keys.StartChain(context.Background(), ring, rand.Reader, ref("one"), stamp, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first)
	f.Add([]byte("{}\n1:00\n"))
	for name := range vectorFiles {
		for _, e := range readVector(f, name).Entries {
			f.Add([]byte(e))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := keys.ReadChain(t.Context(), ring, [][]byte{b}, keys.Trust{}); err == nil && !bytes.Equal(b, first) {
			t.Errorf("a forged entry was taken: %q", b)
		}
	})
}

func TestChainOfANewerVersion(t *testing.T) {
	ring := newRing(t, "one", "two")
	entries := story(t, ring)
	entries[3] = bytes.Replace(entries[3], []byte(`{"v":1,`), []byte(`{"v":2,"new":true,`), 1)
	if _, err := keys.ReadChain(t.Context(), ring, entries, keys.Trust{}); !errors.Is(err, keys.ErrVersion) {
		t.Errorf("got %v, want ErrVersion", err)
	}
}
