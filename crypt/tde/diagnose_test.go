package tde_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

// causes are what Diagnose must say of a recorded segment under a key state
// that does not fit; of those not listed, that an entry's key makes noise.
var causes = map[string]string{
	"D-toggle 1-on":             "from 0/A6C000 (offset 442368) on plaintext, though entry 0 of",
	"D-toggle 2-off":            "from 0/A9E000 (offset 647168) on noise, probably encrypted, though plaintext by entry 1 of",
	"D-toggle 3-on-after-crash": "from 0/AC6000 (offset 811008) on plaintext, though entry 2 of",
	"D-toggle 4-off":            "from 0/AEE000 (offset 974848) on noise, probably encrypted, though plaintext by entry 3 of",
}

func TestKeyStatesThatDoNotFitAreRefused(t *testing.T) {
	pairs := 0
	eachSegment(t, func(t *testing.T, s fixtures.Scenario, g fixtures.Segment) {
		var raw []byte
		for state := range g.DecryptsWith {
			c := cipherOf(t, s, g, state)
			raw, _ = images(t, g, c)
			if err := c.Diagnose(bytes.NewReader(raw), 0); err != nil && !strings.HasSuffix(g.Name, ".partial") {
				t.Errorf("state %s fits, and yet: %v", state, err)
			}
		}
		for _, state := range g.NotWith {
			pairs++
			want, listed := causes[s.Name+" "+state]
			if !listed {
				want = "(offset 0) on noise under entry "
			}
			err := cipherOf(t, s, g, state).Diagnose(bytes.NewReader(raw), 0)
			wantMismatch(t, err, want)
		}
	})
	if pairs < 30 {
		t.Errorf("checked %d pairs of segment and state; there are more in the fixtures", pairs)
	}
}

func wantMismatch(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, tde.ErrMismatch) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %v: %q", err, tde.ErrMismatch, want)
	}
	var hinted interface{ Hint() string }
	if err != nil && (!errors.As(err, &hinted) || hinted.Hint() == "") {
		t.Errorf("no hint with: %v", err)
	}
}

// testSegment is a segment of 1 MiB of PostgreSQL 17 that holds only page
// headers and, between them, a pattern.
func testSegment(seg wal.Segment) []byte {
	p := make([]byte, seg.Size)
	for i := range p {
		p[i] = byte(i*31 + i/251 + 7)
	}
	magic, _ := wal.PageMagic(17)
	for off := int64(0); off < seg.Size; off += wal.PageSize {
		h := wal.PageHeader{Magic: magic, Timeline: seg.Timeline, Address: seg.Start() + wal.LSN(off)}
		if off == 0 {
			h.Flags, h.SystemID, h.SegmentSize, h.PageSize = wal.PageLong, 42, uint32(seg.Size), wal.PageSize
		}
		h.Append(p[off:off])
	}
	return p
}

// open writes the key file below a new data directory and opens it.
func open(t testing.TB, f tdetest.KeyFile) *tde.Keys {
	t.Helper()
	pgdata := t.TempDir()
	d, err := tde.Open(f.Write(t, pgdata, tde.Percona))
	if err != nil {
		t.Fatal(err)
	}
	return tde.NewKeys(d, fetchFrom(pgdata))
}

func cipher(t testing.TB, k *tde.Keys, seg wal.Segment) *tde.Cipher {
	t.Helper()
	c, err := k.Cipher(t.Context(), seg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func key(t testing.TB, b ...byte) crypt.Key {
	t.Helper()
	k, err := crypt.NewKey(append(b, make([]byte, 16-len(b))...))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestDiagnoseNamesTheCause(t *testing.T) {
	seg := wal.Segment{Timeline: 1, No: 7, Size: wal.MinSegmentSize}
	from := func(lsn wal.LSN, typ tde.RangeType) tdetest.Entry {
		return tdetest.Entry{Type: typ, Start: tdetest.At(1, lsn), Key: key(t, byte(typ)), BaseIV: [16]byte{1}}
	}
	encrypted := []tdetest.Entry{from(0x100000, tde.Encrypted)}
	tests := []struct {
		name  string
		wrote []tdetest.Entry                  // with what the segment was written
		has   []tdetest.Entry                  // what wal_keys has
		edit  func(dir string, segment []byte) // in between
		want  string                           // "": the keys are not the cause
	}{
		{name: "fits", wrote: encrypted, has: encrypted},
		{
			name: "no wal_keys", wrote: encrypted, has: encrypted, want: "but there is no ",
			edit: func(dir string, _ []byte) { os.Remove(filepath.Join(dir, "wal_keys")) },
		},
		{
			name: "empty wal_keys", wrote: encrypted, has: encrypted, want: "wal_keys is empty",
			edit: func(dir string, _ []byte) { os.Truncate(filepath.Join(dir, "wal_keys"), 0) },
		},
		{name: "header only", wrote: encrypted, want: "has no range yet"},
		{name: "plaintext", has: encrypted, want: "on plaintext, though entry 0 of"},
		{
			name: "before the first range", wrote: encrypted, has: []tdetest.Entry{from(0x800000, tde.Encrypted)},
			want: "begins at timeline 1 at 0/800000",
		},
		{
			name: "newer range missing", wrote: []tdetest.Entry{encrypted[0], {Type: tde.Encrypted, Start: tdetest.At(1, 0x704000), Key: key(t, 9)}}, has: encrypted,
			want: "from 0/704000 (offset 16384) on noise under entry 0",
		},
		{
			name: "newer range missing, from the middle of a page", wrote: []tdetest.Entry{encrypted[0], {Type: tde.Encrypted, Start: tdetest.At(1, 0x704100), Key: key(t, 9)}}, has: encrypted,
			want: "from 0/706000 (offset 24576) on noise under entry 0",
		},
		{
			name: "another server's keys", wrote: encrypted, has: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 0x100000), Key: key(t, 9)}},
			want: "(offset 0) on noise under entry 0",
		},
		{
			name: "never written", wrote: encrypted, has: encrypted, want: "from 0/7FE000 (offset 1040384) on zeros that pg_tde never wrote",
			edit: func(_ string, p []byte) { clear(p[1040384:]) },
		},
		{
			name: "one damaged page", wrote: encrypted, has: encrypted,
			edit: func(_ string, p []byte) { p[3*wal.PageSize+8] ^= 1 },
		},
		{
			name: "plaintext of another segment", wrote: encrypted, has: encrypted, want: "plaintext of another segment",
			edit: func(_ string, p []byte) { copy(p, testSegment(seg.Next())) },
		},
		{
			name: "empty, in plaintext",
			edit: func(_ string, p []byte) { clear(p) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := testSegment(seg)
			cipher(t, open(t, tdetest.KeyFile{Entries: tt.wrote}), seg).XOR(p, 0)
			pgdata := t.TempDir()
			dir := tdetest.KeyFile{Entries: tt.has}.Write(t, pgdata, tde.Percona)
			if tt.edit != nil {
				tt.edit(dir, p)
			}
			d, err := tde.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			err = cipher(t, tde.NewKeys(d, fetchFrom(pgdata)), seg).Diagnose(bytes.NewReader(p), 0)
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v, want nothing", err)
				}
				return
			}
			wantMismatch(t, err, tt.want)
		})
	}
}

func TestDiagnoseFindsTheSegmentSize(t *testing.T) {
	keys := open(t, tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 1)}}})
	big, err := wal.ParseSegment("000000010000000100000007", 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	p := testSegment(big)
	cipher(t, keys, big).XOR(p, 0)
	small, err := wal.ParseSegment(big.String(), 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	err = cipher(t, keys, small).Diagnose(bytes.NewReader(p[:small.Size]), 0)
	wantMismatch(t, err, "WAL if segments have 16777216 bytes instead of 8388608")
}

func TestDiagnoseReportsReadErrors(t *testing.T) {
	keys := open(t, tdetest.KeyFile{})
	seg := wal.Segment{Timeline: 1, No: 7, Size: wal.MinSegmentSize}
	err := cipher(t, keys, seg).Diagnose(bytes.NewReader(nil), 0)
	if err == nil || errors.Is(err, tde.ErrMismatch) {
		t.Errorf("got %v, want the read error", err)
	}
}
