package tde_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

func TestParseKeyFileRefuses(t *testing.T) {
	whole := tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 1)}}}.Bytes()
	with := func(off int, b ...byte) []byte {
		c := bytes.Clone(whole)
		copy(c[off:], b)
		return c
	}
	tests := []struct {
		name string
		file []byte
		err  error
		text string
	}{
		{"one byte", whole[:1], tde.ErrDamaged, "1 bytes are less than its header of 320"},
		{"half a header", whole[:319], tde.ErrDamaged, "319 bytes are less than its header of 320"},
		{"big-endian", with(0, 2, 'K', 'E', 'W'), tde.ErrUnsupported, "big-endian machine"},
		{"relation keys", with(0, 'T', 'D', 'E', 4), tde.ErrDamaged, "magic 54 44 45 04"},
		{"version 0", with(3, 0), tde.ErrUnsupported, "magic 57 45 4B 00"},
		{"version 4", with(3, 4), tde.ErrUnsupported, "magic 57 45 4B 04"},
		{"version 2 with a high bit", with(3, 0x12), tde.ErrUnsupported, "magic 57 45 4B 12"},
		{"keys of a database", with(8, 5, 0), tde.ErrDamaged, "database 5"},
		{"no key name", with(32, 0), tde.ErrDamaged, "no key name"},
		{"key name without end", with(32, bytes.Repeat([]byte{'n'}, 256)...), tde.ErrDamaged, "no key name"},
		{"time of no year", with(23, 0x7F), tde.ErrDamaged, "no time"},
		{"unknown range type", with(324, 3), tde.ErrDamaged, "entry 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := tde.ParseKeyFile(tt.file)
			if f != nil || !errors.Is(err, tt.err) || !strings.Contains(fmt.Sprint(err), tt.text) {
				t.Errorf("got %v, %v; want %v with %q", f, err, tt.err, tt.text)
			}
		})
	}
}

func TestParseKeyFileWithoutEntries(t *testing.T) {
	whole := tdetest.KeyFile{}.Bytes()
	for _, tt := range []struct {
		name   string
		file   []byte
		header bool
		tail   int
	}{
		{"empty", nil, false, 0},
		{"header only", whole, true, 0},
		{"short tail", append(bytes.Clone(whole), make([]byte, 103)...), true, 103},
	} {
		f, err := tde.ParseKeyFile(tt.file)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if (f.Header != nil) != tt.header || len(f.Entries) != 0 || f.Tail != tt.tail {
			t.Errorf("%s: got header %v, %d entries, tail of %d", tt.name, f.Header != nil, len(f.Entries), f.Tail)
		}
	}
}

func TestRangeTypesReadWhatTheyPrint(t *testing.T) {
	for _, want := range []tde.RangeType{tde.Superseded, tde.Unencrypted, tde.Encrypted} {
		b, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got := tde.RangeType(9)
		if err := got.UnmarshalText(b); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", b, got, err, want)
		}
	}
	var got tde.RangeType
	if err := got.UnmarshalText([]byte("type 7")); err == nil {
		t.Errorf("read %v", got)
	}
}

// fieldBytes is one byte of each field of an entry, by version of the file,
// and what changing it does to a segment that the entry encrypts.
var fieldBytes = map[tde.Version]map[string]int{
	tde.Version1: {"authenticated": 0, "wrapped key": 8, "base IV": 24, "start": 54, "timeline": 56, "nonce": 64, "tag": 95, "padding": 60},
	tde.Version2: {"authenticated": 0, "wrapped key": 72, "base IV": 56, "start": 14, "timeline": 16, "nonce": 24, "tag": 55, "padding": 20},
	tde.Version3: {"authenticated": 0, "wrapped key": 72, "base IV": 8, "start": 30, "timeline": 32, "nonce": 40, "tag": 71, "padding": 36},
}

// TestDamagedKeyFile changes one byte in every field of key files of every
// version. The change must be harmless, or refused when the cipher is made, or
// found in the decrypted segment.
func TestDamagedKeyFile(t *testing.T) {
	seg := wal.Segment{Timeline: 1, No: 7, Size: wal.MinSegmentSize}
	for version, fields := range fieldBytes {
		f := tdetest.KeyFile{
			Version:   version,
			Principal: key(t, 1),
			Entries:   []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 1), Key: key(t, 2), BaseIV: [16]byte{3}}},
		}
		sound := f.Bytes()
		raw := testSegment(seg)
		parsed(t, sound, f.Principal, seg).XOR(raw, 0)

		ivError := error(tde.ErrMismatch)
		if version == tde.Version3 {
			ivError = tde.ErrUnwrap
		}
		want := map[string]error{
			"authenticated": tde.ErrUnwrap, "wrapped key": tde.ErrUnwrap, "nonce": tde.ErrUnwrap, "tag": tde.ErrUnwrap,
			"base IV": ivError, "start": tde.ErrMismatch, "timeline": tde.ErrMismatch, "padding": nil,
		}
		for field, off := range fields {
			checkDamage(t, fmt.Sprintf("version %d, %s of the entry", version, field), sound, 320+off, f.Principal, seg, raw, want[field])
		}
		for field, off := range map[string]int{"time": 16, "microseconds": 24, "key name": 40, "nonce": 288, "signature": 319} {
			checkDamage(t, fmt.Sprintf("version %d, %s", version, field), sound, off, f.Principal, seg, raw, tde.ErrWrongKey)
		}
		checkDamage(t, fmt.Sprintf("version %d, provider", version), sound, 12, f.Principal, seg, raw, tde.ErrProvider)
		checkDamage(t, fmt.Sprintf("version %d, padding", version), sound, 5, f.Principal, seg, raw, nil)
	}
}

func checkDamage(t *testing.T, name string, sound []byte, off int, principal crypt.Key, seg wal.Segment, raw []byte, want error) {
	t.Run(name, func(t *testing.T) {
		b := bytes.Clone(sound)
		b[off] ^= 1
		c, err := parse(t, b, principal, seg)
		if err == nil {
			err = c.Diagnose(bytes.NewReader(raw), 0)
		}
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	})
}

// parse is the cipher of seg under the key file b and the given principal key.
func parse(t *testing.T, b []byte, principal crypt.Key, seg wal.Segment) (*tde.Cipher, error) {
	t.Helper()
	f, err := tde.ParseKeyFile(b)
	if err != nil {
		t.Fatal(err)
	}
	d := &tde.Dir{KeyFile: f, Providers: []tde.Provider{{ID: -1, Type: tde.FileProvider}}}
	return tde.NewKeys(d, func(context.Context, tde.Provider, string) (crypt.Key, error) {
		return principal, nil
	}).Cipher(t.Context(), seg)
}

func parsed(t *testing.T, b []byte, principal crypt.Key, seg wal.Segment) *tde.Cipher {
	t.Helper()
	c, err := parse(t, b, principal, seg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// FuzzKeyFile: any bytes parse or are refused, and what parsed covers segments
// without overlap or says so.
func FuzzKeyFile(f *testing.F) {
	addFiles(f, "wal_keys")
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := tde.ParseKeyFile(b)
		if err != nil {
			if !errors.Is(err, tde.ErrDamaged) && !errors.Is(err, tde.ErrUnsupported) {
				t.Errorf("another error: %v", err)
			}
			return
		}
		for i := range file.Entries {
			if _, err := file.Entries[i].Unwrap(key(t, 1)); err == nil {
				t.Error("an entry unwraps with a key that never wrapped it")
			}
		}
		seg := wal.Segment{Timeline: 1, No: 10, Size: wal.MinSegmentSize}
		spans, err := tde.Cover(file.Ranges(), seg)
		if err != nil && !errors.Is(err, tde.ErrOverlap) {
			t.Errorf("another error: %v", err)
		}
		end := int64(0)
		for _, s := range spans {
			if s.From < end || s.To <= s.From || s.To > seg.Size {
				t.Fatalf("spans %v", spans)
			}
			end = s.To
		}
	})
}

// addFiles adds every recorded file of that name to the corpus.
func addFiles(f *testing.F, name string) {
	n := 0
	err := fs.WalkDir(fixtures.FS(), "pgtde", func(p string, d fs.DirEntry, err error) error {
		if err != nil || path.Base(p) != name {
			return err
		}
		b, err := fixtures.Read(p)
		f.Add(b)
		n++
		return err
	})
	if err != nil || n == 0 {
		f.Fatalf("%d files %s: %v", n, name, err)
	}
}
