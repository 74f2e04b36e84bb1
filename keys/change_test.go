package keys_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"walarchive/crypt"
	"walarchive/keys"
)

// grow adds an entry that a change made.
func grow(t *testing.T, c *keys.Chain, entry []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Extend(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	return entry
}

// wrappers are the names of the keys that wrap an epoch, the newest first.
func wrappers(e keys.Epoch) []string {
	var names []string
	for _, w := range e.Wraps() {
		names = append(names, w.Key)
	}
	return names
}

func TestRewrapOpensAllThatTheOtherOpens(t *testing.T) {
	ring := newRing(t, "one", "two", "three")
	entries := story(t, ring)
	c := read(t, ring, entries)
	entry, err := c.Rewrap(t.Context(), rand.Reader, ref("two"), ref("three"), stamp)
	entries = append(entries, grow(t, c, entry, err))
	if entry, err := c.Rewrap(t.Context(), rand.Reader, ref("two"), ref("three"), stamp); entry != nil || err != nil {
		t.Errorf("once more: %q, %v, want nothing to do", entry, err)
	}
	for i, want := range [][]string{{"three", "two", "one"}, {"three", "two"}} {
		if got := wrappers(c.Epochs()[i]); !slices.Equal(got, want) {
			t.Errorf("epoch %d is wrapped by %v, want %v", i+1, got, want)
		}
	}
	alone := read(t, keys.NewRing(map[string]keys.Provider{"local": only{provider(t, ring), "three"}}), entries)
	for _, e := range alone.Epochs() {
		if _, err := alone.Epoch(t.Context(), e.ID(), nil); err != nil {
			t.Errorf("epoch %d with the new key alone: %v", e.Number, err)
		}
	}
	if alone.Open().Principal() != ref("two") {
		t.Errorf("the open epoch is under %v, want the key that opened it", alone.Open().Principal())
	}
}

func TestRewrapRefusals(t *testing.T) {
	ring := newRing(t, "one", "two", "three")
	c := read(t, ring, story(t, ring))
	entry, err := c.Retire(ref("one"), stamp)
	grow(t, c, entry, err)
	for _, tt := range []struct {
		name     string
		from, to string
		want     error
	}{
		{"from a key that wrapped nothing", "three", "two", keys.ErrWrapsNothing},
		{"to a retired key", "two", "one", keys.ErrRetired},
		{"to a key that is not there", "two", "four", keys.ErrNoKey},
		{"to itself, without versions", "two", "two", keys.ErrNoVersions},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := c.Rewrap(t.Context(), rand.Reader, ref(tt.from), ref(tt.to), stamp); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// versioned is a service whose keys have versions: the box's first byte.
type versioned struct {
	service
	newest byte
}

func (v *versioned) Wrap(ctx context.Context, name string, secret crypt.Key) ([]byte, error) {
	box, err := v.service.Wrap(ctx, name, secret)
	return append([]byte{v.newest}, box...), err
}

func (v *versioned) Unwrap(ctx context.Context, name string, box []byte) (crypt.Key, error) {
	if len(box) == 0 || box[0] > v.newest {
		return crypt.Key{}, v.fail(name, crypt.ErrUnwrap)
	}
	return v.service.Unwrap(ctx, name, box[1:])
}

func (v *versioned) Rewrap(ctx context.Context, name string, box []byte) ([]byte, error) {
	if len(box) > 0 && box[0] == v.newest {
		return box, nil
	}
	k, err := v.Unwrap(ctx, name, box)
	if err != nil {
		return nil, err
	}
	return v.Wrap(ctx, name, k)
}

func TestRewrapRenewsInTheService(t *testing.T) {
	v := &versioned{service{}, 1}
	ring := keys.NewRing(map[string]keys.Provider{"local": v})
	for _, name := range []string{"one", "two"} {
		if err := ring.Create(t.Context(), ref(name)); err != nil {
			t.Fatal(err)
		}
	}
	c := read(t, ring, story(t, ring))
	v.newest = 2
	entry, err := c.Rewrap(t.Context(), rand.Reader, ref("two"), ref("two"), stamp)
	grow(t, c, entry, err)
	for i, want := range []string{"2two 1one", "2two"} {
		got := ""
		for _, w := range c.Epochs()[i].Wraps() {
			got += fmt.Sprintf(" %d%s", w.Box[0], w.Key)
		}
		if got != " "+want {
			t.Errorf("epoch %d has the wraps%s, want %s", i+1, got, want)
		}
	}
	if entry, err := c.Rewrap(t.Context(), rand.Reader, ref("two"), ref("two"), stamp); entry != nil || err != nil {
		t.Errorf("once more: %q, %v, want nothing to do", entry, err)
	}
}

func TestRetire(t *testing.T) {
	ring := newRing(t, "one", "two")
	c := read(t, ring, story(t, ring))
	if _, err := c.Retire(ref("two"), stamp); !errors.Is(err, keys.ErrInUse) {
		t.Errorf("the key of the open epoch: %v, want ErrInUse", err)
	}
	if _, err := c.Retire(ref("three"), stamp); !errors.Is(err, keys.ErrWrapsNothing) {
		t.Errorf("a key without a part in it: %v, want ErrWrapsNothing", err)
	}
	entry, err := c.Retire(ref("one"), stamp)
	grow(t, c, entry, err)
	if entry, err := c.Retire(ref("one"), stamp); entry != nil || err != nil {
		t.Errorf("once more: %q, %v, want nothing to do", entry, err)
	}
	if _, err := c.Rotate(t.Context(), rand.Reader, ref("one"), stamp); !errors.Is(err, keys.ErrRetired) {
		t.Errorf("rotation to it: %v, want ErrRetired", err)
	}
	if got := wrappers(c.Epochs()[0]); !slices.Equal(got, []string{"two", "one"}) {
		t.Errorf("epoch 1 is wrapped by %v: what it wrapped it still opens", got)
	}
}

// What nothing else opens depends on a key, retired or not.
func TestSole(t *testing.T) {
	ring := newRing(t, "one", "two", "three")
	c := read(t, ring, story(t, ring))
	entry, err := c.Rotate(t.Context(), rand.Reader, ref("three"), stamp)
	grow(t, c, entry, err)
	check := func(name string, want ...int) {
		t.Helper()
		if got := c.Sole(ref(name)); !slices.Equal(got, want) {
			t.Errorf("%s alone opens the epochs %v, want %v", name, got, want)
		}
	}
	check("one")
	check("two")
	check("three", 3)
	entry, err = c.Retire(ref("one"), stamp)
	grow(t, c, entry, err)
	check("two", 1)
	entry, err = c.Rewrap(t.Context(), rand.Reader, ref("two"), ref("three"), stamp)
	grow(t, c, entry, err)
	check("two")
	check("three", 3)
}

// More principal keys than a header holds: the newest stand in it, and all of
// them open the epoch.
func TestHeaderWraps(t *testing.T) {
	names := []string{"one", "two"}
	for i := range keys.MaxWraps {
		names = append(names, fmt.Sprintf("more-%d", i))
	}
	ring := newRing(t, names...)
	c := read(t, ring, story(t, ring))
	for _, name := range names[2:] {
		entry, err := c.Rewrap(t.Context(), rand.Reader, ref("two"), ref(name), stamp)
		grow(t, c, entry, err)
	}
	ws := c.HeaderWraps()
	if len(ws) != keys.MaxWraps || ws[0].Key != names[len(names)-1] {
		t.Errorf("%d wraps, the first by %s", len(ws), ws[0].Key)
	}
	if n := len(c.Open().Wraps()); n != keys.MaxWraps+1 {
		t.Errorf("the epoch has %d wraps, want %d", n, keys.MaxWraps+1)
	}
}

func TestParseRef(t *testing.T) {
	for _, tt := range []struct {
		text string
		want keys.Ref
	}{
		{"wal", keys.Ref{Provider: "local", Key: "wal"}},
		{"bao/wal-2027", keys.Ref{Provider: "bao", Key: "wal-2027"}},
	} {
		got, err := keys.ParseRef(tt.text, "local")
		if err != nil || got != tt.want {
			t.Errorf("%q: %v, %v, want %v", tt.text, got, err, tt.want)
		}
		if again, err := keys.ParseRef(got.String(), "other"); err != nil || again != got {
			t.Errorf("%v does not parse back: %v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "/", "a/", "/a", "a/b/c", "a b", "https://x/y"} {
		if r, err := keys.ParseRef(text, "local"); err == nil {
			t.Errorf("%q is read as %v", text, r)
		}
	}
}

func seedKey(t testing.TB) crypt.Key {
	t.Helper()
	k, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
