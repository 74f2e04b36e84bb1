package tde_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

// reopened is what is left of keys that were stored with a segment.
func reopened(t *testing.T, x *tde.Excerpt, fetch tde.Fetch) *tde.Keys {
	t.Helper()
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 40<<10 {
		t.Errorf("the excerpt takes %d bytes", len(b))
	}
	var again tde.Excerpt
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	k, err := again.Open(fetch)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Of every recorded segment the excerpt alone, with the principal key, gives
// the plaintext; taking it asks nobody for a key.
func TestExcerptDecryptsRecordedSegments(t *testing.T) {
	pairs := 0
	eachSegment(t, func(t *testing.T, s fixtures.Scenario, g fixtures.Segment) {
		nodes := map[string][]string{}
		for state, ranges := range g.DecryptsWith {
			h, err := s.Unpack(t.TempDir())
			if err == nil {
				err = h.SetKeys(state)
			}
			if err != nil {
				t.Fatal(err)
			}
			d, err := tde.Open(filepath.Join(h.PGData, s.KeyDir()))
			if err != nil {
				t.Fatal(err)
			}
			k := tde.NewKeys(d, noFetch(t))
			x, err := k.Excerpt(segmentOf(t, g))
			if err != nil {
				t.Fatal(err)
			}
			if (x != nil) != (len(ranges) > 0) {
				t.Fatalf("state %s: excerpt %v, encrypted ranges %v", state, x, ranges)
			}
			if x == nil {
				continue
			}
			pairs++
			again := reopened(t, x, fetchFrom(h.Keyrings))
			if got, want := again.Node(segmentOf(t, g)), k.Node(segmentOf(t, g)); got != want {
				t.Errorf("state %s: node %s, with the whole directory %s", state, got, want)
			}
			nodes[k.Node(segmentOf(t, g))] = append(nodes[k.Node(segmentOf(t, g))], state)
			c, err := again.Cipher(t.Context(), segmentOf(t, g))
			if err != nil {
				t.Fatalf("state %s: %v", state, err)
			}
			raw, plain := images(t, g, c)
			if sum(raw) != g.RawSHA256 || sum(plain) != g.PlainSHA256 {
				t.Errorf("state %s: decrypted to other bytes", state)
			}
			if err := again.CheckCoverage(bytes.NewReader(raw), segmentOf(t, g)); err != nil {
				t.Errorf("state %s: %v", state, err)
			}
		}
		if len(nodes) > 1 { // all these states decrypt the same bytes, rotated or migrated
			t.Errorf("one server has several names: %v", nodes)
		}
	})
	if pairs < 30 {
		t.Errorf("only %d pairs of segment and state", pairs)
	}
}

// madeKeys opens a key directory that was made for the test.
func madeKeys(t *testing.T, f tdetest.KeyFile, fetch tde.Fetch) *tde.Keys {
	t.Helper()
	d, err := tde.Open(f.Write(t, t.TempDir(), tde.Percona))
	if err != nil {
		t.Fatal(err)
	}
	return tde.NewKeys(d, fetch)
}

var mib = wal.Segment{Timeline: 1, No: 3, Size: 1 << 20}

// at is a location in the segment mib.
func at(off wal.LSN) wal.Location { return tdetest.At(1, mib.Start()+off) }

// The excerpt has the entries of the segment and where the next one begins, and
// no other.
func TestExcerptIsSelective(t *testing.T) {
	for _, v := range []tde.Version{tde.Version1, tde.Version2, tde.Version3} {
		f := tdetest.KeyFile{Version: v, Entries: []tdetest.Entry{
			{Type: tde.Encrypted, Start: tdetest.At(1, 0x100000)}, // ends before the segment
			{Type: tde.Encrypted, Start: tdetest.At(1, 0x200000)},
			{Type: tde.Superseded, Start: at(0x1000)},
			{Type: tde.Encrypted}, // not set
			{Type: tde.Unencrypted, Start: at(0x2000)},
			{Type: tde.Encrypted, Start: at(0x4000)},
			{Type: tde.Unencrypted, Start: at(0x10000)},
			{Type: tde.Encrypted, Start: tdetest.At(1, 0x500000)}, // begins behind it
			{Type: tde.Encrypted, Start: tdetest.At(1, 0x600000)},
		}}
		k := madeKeys(t, f, noFetch(t))
		x, err := k.Excerpt(mib)
		if err != nil {
			t.Fatal(err)
		}
		file, err := tde.ParseKeyFile(x.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		var starts []wal.Location
		for _, e := range file.Entries {
			starts = append(starts, e.Start)
		}
		want := []wal.Location{tdetest.At(1, 0x200000), at(0x2000), at(0x4000), at(0x10000), tdetest.At(1, 0x500000)}
		if !slices.Equal(starts, want) {
			t.Errorf("version %d: entries %v, want %v", v, starts, want)
		}
		if last := file.Entries[len(file.Entries)-1]; last.BaseIV != [16]byte{} {
			t.Errorf("version %d: more than the start of the next entry is kept", v)
		}
		spans, err := reopened(t, x, noFetch(t)).Source(mib)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := k.Source(mib)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole.Spans {
			whole.Spans[i].Entry, spans.Spans[i].Entry = 0, 0
		}
		if !slices.Equal(spans.Spans, whole.Spans) || spans.Principal != whole.Principal || spans.Provider != "local" {
			t.Errorf("version %d: the excerpt says %+v, the directory %+v", v, spans, whole)
		}
	}
}

func TestNoExcerptOfPlaintext(t *testing.T) {
	for name, f := range map[string]tdetest.KeyFile{
		"no range":          {},
		"switched off":      {Entries: []tdetest.Entry{{Type: tde.Unencrypted, Start: at(0)}}},
		"encrypted later":   {Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 0x400000)}}},
		"encrypted earlier": {Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 0x100000)}, {Type: tde.Unencrypted, Start: at(0)}}},
	} {
		t.Run(name, func(t *testing.T) {
			if x, err := madeKeys(t, f, noFetch(t)).Excerpt(mib); x != nil || err != nil {
				t.Errorf("got %v, %v", x, err)
			}
		})
	}
}

func TestExcerptIsBounded(t *testing.T) {
	var f tdetest.KeyFile
	for i := range 200 {
		f.Entries = append(f.Entries, tdetest.Entry{Type: tde.Encrypted, Start: at(wal.LSN(i * 8))})
	}
	f.Entries = append(f.Entries, tdetest.Entry{Type: tde.Encrypted, Start: tdetest.At(1, 0x500000)})
	x, err := madeKeys(t, f, noFetch(t)).Excerpt(mib)
	if err != nil {
		t.Fatal(err)
	}
	reopened(t, x, noFetch(t))
	f.Entries = slices.Insert(f.Entries, 200, tdetest.Entry{Type: tde.Encrypted, Start: at(0x1000)})
	_, err = madeKeys(t, f, noFetch(t)).Excerpt(mib)
	var h interface{ Hint() string }
	if !errors.Is(err, tde.ErrUnsupported) || !errors.As(err, &h) {
		t.Errorf("201 entries: %v, want ErrUnsupported with a hint", err)
	}
}

// Excerpts that no key directory gives.
func TestBadExcerpts(t *testing.T) {
	good, err := madeKeys(t, tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: at(0)}}}, noFetch(t)).Excerpt(mib)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(x *tde.Excerpt){
		"flavor":              func(x *tde.Excerpt) { x.Flavor = "other" },
		"no key file":         func(x *tde.Excerpt) { x.KeyFile = nil },
		"no entries":          func(x *tde.Excerpt) { x.KeyFile = x.KeyFile[:320] },
		"cut entry":           func(x *tde.Excerpt) { x.KeyFile = x.KeyFile[:len(x.KeyFile)-1] },
		"endless":             func(x *tde.Excerpt) { x.KeyFile = append(x.KeyFile, bytes.Repeat(x.KeyFile[320:], 300)...) },
		"no provider":         func(x *tde.Excerpt) { x.Provider = nil },
		"cut provider":        func(x *tde.Excerpt) { x.Provider = x.Provider[:1000] },
		"another provider":    func(x *tde.Excerpt) { x.Provider = tdetest.Provider(-7, "p", "{}", 1) },
		"a provider that was": func(x *tde.Excerpt) { x.Provider = tdetest.Provider(-1, "p", "{}", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			x := tde.Excerpt{Flavor: good.Flavor, KeyFile: bytes.Clone(good.KeyFile), Provider: good.Provider}
			change(&x)
			_, err := x.Open(noFetch(t))
			if err == nil || !strings.Contains(err.Error(), "what is stored with the segment") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What can be seen without a key is seen.
func TestCheckCoverage(t *testing.T) {
	s, err := fixtures.Open("D-toggle")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Segments, func(g fixtures.Segment) bool { return len(g.DecryptsWith["5-final-on"]) > 1 })
	g := s.Segments[i]
	k := keysOf(t, s, "5-final-on")
	raw, plain := images(t, g, cipherOf(t, s, g, "5-final-on"))
	noise := bytes.Clone(raw)
	for _, r := range g.DecryptsWith["5-final-on"] {
		copy(noise[r.Offset:r.End], raw[r.Offset:r.End])
	}
	end := g.DecryptsWith["5-final-on"][0].End // here a stretch in plaintext begins
	copy(noise[end:end+wal.PageSize], raw[:wal.PageSize])
	for name, c := range map[string]struct {
		b    []byte
		text string
	}{
		"as recorded":               {raw, ""},
		"in plaintext":              {plain, "plaintext, though entry"},
		"noise where it is plain":   {noise, "noise, probably encrypted"},
		"shorter than it should be": {raw[:1000], "EOF"},
	} {
		err := k.CheckCoverage(bytes.NewReader(c.b), segmentOf(t, g))
		if c.text == "" && err != nil || c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
			t.Errorf("%s: got %v, want %q", name, err, c.text)
		}
	}
}

// noKey is a key service that has none.
func noKey(context.Context, tde.Provider, string) (crypt.Key, error) {
	return crypt.Key{}, errors.New("no such key")
}

// An excerpt opens or is refused, and its keys never panic.
func FuzzExcerpt(f *testing.F) {
	all, err := fixtures.Scenarios()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all {
		states, err := s.States()
		if err != nil {
			f.Fatal(err)
		}
		for _, state := range states {
			keys, err := s.Read("states/" + state + "/" + s.KeyDir() + "/wal_keys")
			if err != nil {
				continue
			}
			providers, err := s.Read("states/" + state + "/" + s.KeyDir() + "/1664_providers")
			if err != nil {
				f.Fatal(err)
			}
			f.Add(keys, providers[:min(1160, len(providers))], s.KeyDir() == string(tde.Fork))
		}
	}
	f.Fuzz(func(t *testing.T, keys, provider []byte, fork bool) {
		x := tde.Excerpt{Flavor: tde.Percona, KeyFile: keys, Provider: provider}
		if fork {
			x.Flavor = tde.Fork
		}
		k, err := x.Open(noKey)
		if err != nil {
			return
		}
		again, err := k.Excerpt(mib)
		if err == nil && again != nil {
			if _, err := again.Open(noKey); err != nil {
				t.Errorf("an excerpt of an excerpt does not open: %v", err)
			}
		}
		_ = k.Node(mib)
		_, _ = k.Cipher(t.Context(), mib)
	})
}
