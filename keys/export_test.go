package keys_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"reflect"
	"strings"
	"testing"

	"walarchive/keys"
)

// exported is an export of a chain in escrow, as it is written.
func exported(t testing.TB, c *keys.Chain) []byte {
	t.Helper()
	x := c.Export()
	x.Time, x.Host, x.Storage, x.Cluster = stamp.Time, stamp.Host, "file:///srv/wal", "main"
	var b bytes.Buffer
	if err := x.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportReadsBack(t *testing.T) {
	ring, id := newRing(t, "one", "two"), newIdentity(t)
	entries, anchor := escrowed(t, ring, id.Recipient(), true)
	c := read(t, ring, entries)
	entry, err := c.Retire(ref("one"), stamp)
	entries = append(entries, grow(t, c, entry, err))
	x, err := keys.ParseExport(exported(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if x.Anchor != anchor || !reflect.DeepEqual(x.Entries(), entries) || len(x.Escrow) != 1 {
		t.Errorf("got anchor %v, %d entries, %d recipients", x.Anchor, len(x.Chain), len(x.Escrow))
	}
	want := []keys.Exported{{Ref: ref("two"), Opens: []int{1, 2}}, {Ref: ref("one"), Retired: true, Opens: []int{1}}}
	if !reflect.DeepEqual(x.Principals, want) {
		t.Errorf("got %+v, want %+v", x.Principals, want)
	}
	if _, err := keys.ReadChain(t.Context(), inSafe(id), x.Entries(), keys.Trust{Anchor: &x.Anchor}); err != nil {
		t.Errorf("with the identity: %v", err)
	}
	if b := exported(t, c); bytes.Contains(bytes.ToUpper(b), []byte("SECRET")) {
		t.Errorf("holds a secret: %s", b)
	}
}

func TestExportsThatAreNone(t *testing.T) {
	ring := newRing(t, "one", "two")
	good := string(exported(t, read(t, ring, story(t, ring))))
	other := read(t, ring, story(t, ring))
	edit := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the export has no %q", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	anchor := read(t, ring, story(t, ring)).Anchor().String()
	for name, tt := range map[string]struct {
		file string
		want error
	}{
		"empty":              {"", keys.ErrExport},
		"a configuration":    {"[storage]\nurl = 1\n", keys.ErrExport},
		"other JSON":         {`{"a":1}`, keys.ErrExport},
		"version 0":          {edit(`_export": 1`, `_export": 0`), keys.ErrExport},
		"newer":              {edit(`_export": 1`, `_export": 2`), keys.ErrVersion},
		"unknown member":     {edit(`"host"`, `"hosts"`), keys.ErrExport},
		"another anchor":     {edit(`"anchor": "`+good[strings.Index(good, `"anchor": "`)+11:][:65], `"anchor": "`+anchor), keys.ErrExport},
		"a changed entry":    {edit(`{\"b\":2}`, `{\"b\": 2}`), keys.ErrChain},
		"an entry missing":   {edit(`\"n\":2`, `\"n\":3`), keys.ErrChain},
		"no entries":         {good[:strings.Index(good, `"chain": [`)+10] + "]}", keys.ErrChain},
		"cut off":            {good[:len(good)-20], keys.ErrExport},
		"a wrap of no shape": {edit(`"chain"`, `"wraps": [{"number": 1, "id": "`+other.Anchor().Epoch.String()+`", "wraps": []}], "chain"`), keys.ErrExport},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := keys.ParseExport([]byte(tt.file)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := keys.ParseExport([]byte(" " + good + "\n\n")); err != nil {
		t.Errorf("white space around it: %v", err)
	}
}

func FuzzParseExport(f *testing.F) {
	p := fixed{}
	ring := keys.NewRing(map[string]keys.Provider{"local": p})
	k := seedKey(f)
	p["one"] = k
	first, err := keys.StartChain(f.Context(), ring, rand.Reader, ref("one"), stamp, nil)
	if err != nil {
		f.Fatal(err)
	}
	c, err := keys.ReadChain(f.Context(), ring, [][]byte{first}, keys.Trust{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(exported(f, c))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := keys.ParseExport(b)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := x.Encode(&out); err != nil {
			t.Fatal(err)
		}
		if again, err := keys.ParseExport(out.Bytes()); err != nil || !reflect.DeepEqual(again, x) {
			t.Errorf("does not read back: %v", err)
		}
	})
}
