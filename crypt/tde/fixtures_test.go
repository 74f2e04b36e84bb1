package tde_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/fixtures"
	"walarchive/keys/file"
)

// keysOf opens a recorded key state as a program on that host would.
func keysOf(t *testing.T, s fixtures.Scenario, state string) *tde.Keys {
	t.Helper()
	h, err := s.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if s.KeyDir() == "" {
		return tde.NewKeys(tde.None(h.PGData), noFetch(t))
	}
	if err := h.SetKeys(state); err != nil {
		t.Fatal(err)
	}
	dir, found, err := tde.Find(h.PGData)
	if err != nil || !found {
		t.Fatalf("Find: %q, %v, %v", dir, found, err)
	}
	d, err := tde.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tde.NewKeys(d, fetchFrom(h.Keyrings))
}

// fetchFrom reads keyring files, which the recorded servers had elsewhere.
func fetchFrom(dir string) tde.Fetch {
	return func(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
		o, err := p.Options()
		if err != nil {
			return crypt.Key{}, err
		}
		o = o.MapPaths(func(path string) string {
			return filepath.Join(dir, strings.TrimPrefix(path, fixtures.KeyringDir))
		})
		return file.New(o.(tde.FileOptions).Path).Key(ctx, name)
	}
}

func noFetch(t *testing.T) tde.Fetch {
	return func(context.Context, tde.Provider, string) (crypt.Key, error) {
		t.Error("the principal key was fetched")
		return crypt.Key{}, errors.New("unexpected")
	}
}

func segmentOf(t *testing.T, g fixtures.Segment) wal.Segment {
	t.Helper()
	name, err := wal.ParseName(g.Name, g.Size)
	if err != nil {
		t.Fatal(err)
	}
	return name.Segment
}

func cipherOf(t *testing.T, s fixtures.Scenario, g fixtures.Segment, state string) *tde.Cipher {
	t.Helper()
	c, err := keysOf(t, s, state).Cipher(t.Context(), segmentOf(t, g))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eachSegment runs f for every recorded segment.
func eachSegment(t *testing.T, f func(t *testing.T, s fixtures.Scenario, g fixtures.Segment)) {
	all, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, g := range s.Segments {
			t.Run(s.Name+"/"+g.Server+"/"+g.Name, func(t *testing.T) { f(t, s, g) })
		}
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// images are the segment's bytes on disk and in plain; where one of the two
// is not stored it is made from the other, and checked by its digest.
func images(t *testing.T, g fixtures.Segment, c *tde.Cipher) (raw, plain []byte) {
	t.Helper()
	var err error
	if g.HasRaw() {
		if raw, err = g.Raw(); err != nil {
			t.Fatal(err)
		}
		plain = bytes.Clone(raw)
		c.XOR(plain, 0)
		return raw, plain
	}
	if plain, err = g.Plain(); err != nil {
		t.Fatal(err)
	}
	raw = bytes.Clone(plain)
	c.XOR(raw, 0)
	return raw, plain
}

func TestRecordedSegmentsBothWays(t *testing.T) {
	pairs := 0
	eachSegment(t, func(t *testing.T, s fixtures.Scenario, g fixtures.Segment) {
		states := g.DecryptsWith
		if s.KeyDir() == "" {
			states = map[string][]fixtures.Range{"": nil}
		}
		for state, ranges := range states {
			pairs++
			c := cipherOf(t, s, g, state)
			raw, plain := images(t, g, c)
			if got := sum(plain); got != g.PlainSHA256 {
				t.Errorf("state %s: decrypted to %s, want %s", state, got, g.PlainSHA256)
			}
			c.XOR(plain, 0)
			if got := sum(plain); got != g.RawSHA256 || !bytes.Equal(plain, raw) {
				t.Errorf("state %s: encrypted to %s, want %s", state, got, g.RawSHA256)
			}
			if got := encryptedRanges(c); !slices.Equal(got, ranges) {
				t.Errorf("state %s: applied %v, want %v", state, got, ranges)
			}
		}
	})
	if pairs < 40 {
		t.Errorf("checked %d pairs of segment and state; there are more in the fixtures", pairs)
	}
}

func encryptedRanges(c *tde.Cipher) (rs []fixtures.Range) {
	for _, s := range c.Source().Spans {
		if s.Type == tde.Encrypted {
			rs = append(rs, fixtures.Range{Entry: s.Entry, Type: s.Type.String(), Offset: s.From, End: s.To})
		}
	}
	return rs
}
