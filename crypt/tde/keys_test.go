package tde_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/keys"
)

var segment7 = wal.Segment{Timeline: 1, No: 7, Size: wal.MinSegmentSize}

// dirOf writes the key file and opens it, without keys yet.
func dirOf(t *testing.T, f tdetest.KeyFile) (d *tde.Dir, fetch tde.Fetch) {
	t.Helper()
	pgdata := t.TempDir()
	d, err := tde.Open(f.Write(t, pgdata, tde.Percona))
	if err != nil {
		t.Fatal(err)
	}
	return d, fetchFrom(pgdata)
}

func TestPlainSegmentsNeedNoPrincipalKey(t *testing.T) {
	later := tdetest.Entry{Type: tde.Encrypted, Start: tdetest.At(1, 0x800000)}
	tests := []struct {
		name    string
		entries []tdetest.Entry
	}{
		{"header only", nil},
		{"no start yet", []tdetest.Entry{{Type: tde.Encrypted}}},
		{"superseded", []tdetest.Entry{{Type: tde.Superseded, Start: tdetest.At(1, 1)}}},
		{"plain range", []tdetest.Entry{{Type: tde.Unencrypted, Start: tdetest.At(1, 1)}, later}},
		{"before the first range", []tdetest.Entry{later}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := dirOf(t, tdetest.KeyFile{Entries: tt.entries})
			d.Providers = nil
			c := cipher(t, tde.NewKeys(d, noFetch(t)), segment7)
			p := testSegment(segment7)
			c.XOR(p, 0)
			if c.Encrypted() || !bytes.Equal(p, testSegment(segment7)) {
				t.Error("bytes changed")
			}
		})
	}
}

func TestPrincipalKeyIsFetchedOnce(t *testing.T) {
	d, fetch := dirOf(t, tdetest.KeyFile{KeyName: "k1", Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 1)}}})
	var fetched atomic.Int32
	k := tde.NewKeys(d, func(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
		fetched.Add(1)
		if p.ID != -1 || p.Name != "local" || name != "k1" {
			t.Errorf("fetched %q from provider %d %q", name, p.ID, p.Name)
		}
		return fetch(ctx, p, name)
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := k.Cipher(t.Context(), wal.Segment{Timeline: 1, No: wal.SegmentNo(i), Size: wal.MinSegmentSize}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := fetched.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestFailedFetchIsRepeated(t *testing.T) {
	d, fetch := dirOf(t, tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 1)}}})
	calls := 0
	k := tde.NewKeys(d, func(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
		if calls++; calls == 1 {
			return crypt.Key{}, keys.ErrUnavailable
		}
		return fetch(ctx, p, name)
	})
	if _, err := k.Cipher(t.Context(), segment7); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, keys.ErrUnavailable)
	}
	if _, err := k.Cipher(t.Context(), segment7); err != nil {
		t.Error(err)
	}
}

func TestSource(t *testing.T) {
	d, fetch := dirOf(t, tdetest.KeyFile{KeyName: "k1", Entries: []tdetest.Entry{
		{Type: tde.Encrypted, Start: tdetest.At(1, 1)},
		{Type: tde.Unencrypted, Start: tdetest.At(1, 0x780000)},
	}})
	got := cipher(t, tde.NewKeys(d, fetch), segment7).Source()
	if got.Flavor != tde.Percona || got.Version != 2 || got.Principal != "k1" || got.Provider != "local" || got.Type != tde.FileProvider {
		t.Errorf("got %+v", got)
	}
	if want := (tde.Span{Entry: 1, Type: tde.Unencrypted, From: 0x80000, To: 0x100000}); len(got.Spans) != 2 || got.Spans[1] != want {
		t.Errorf("got spans %v, want the second to be %v", got.Spans, want)
	}
}

func TestCipherRefuses(t *testing.T) {
	entries := []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 1)}}
	tests := []struct {
		name string
		file tdetest.KeyFile
		edit func(t *testing.T, pgdata string)
		want error
	}{
		{
			name: "another key under the right name", file: tdetest.KeyFile{Entries: entries}, want: tde.ErrWrongKey,
			edit: func(t *testing.T, pgdata string) {
				flip(t, filepath.Join(pgdata, "keyring.per"), 256)
			},
		},
		{
			name: "no such key", file: tdetest.KeyFile{Entries: entries}, want: keys.ErrNoKey,
			edit: func(t *testing.T, pgdata string) {
				flip(t, filepath.Join(pgdata, "keyring.per"), 0)
			},
		},
		{
			name: "keyring missing", file: tdetest.KeyFile{Entries: entries}, want: keys.ErrUnavailable,
			edit: func(t *testing.T, pgdata string) { remove(t, filepath.Join(pgdata, "keyring.per")) },
		},
		{
			name: "provider deleted", file: tdetest.KeyFile{Entries: entries}, want: tde.ErrProvider,
			edit: func(t *testing.T, pgdata string) {
				writeFile(t, pgdata, "pg_tde/1664_providers", tdetest.Provider(-1, "", "", 0))
			},
		},
		{
			name: "providers missing", file: tdetest.KeyFile{Entries: entries}, want: os.ErrNotExist,
			edit: func(t *testing.T, pgdata string) { remove(t, filepath.Join(pgdata, "pg_tde/1664_providers")) },
		},
		{
			name: "providers damaged", file: tdetest.KeyFile{Entries: entries}, want: tde.ErrDamaged,
			edit: func(t *testing.T, pgdata string) { writeFile(t, pgdata, "pg_tde/1664_providers", []byte("short")) },
		},
		{
			name: "ranges overlap", file: tdetest.KeyFile{Entries: []tdetest.Entry{
				entries[0], {Type: tde.Encrypted, Start: tdetest.At(1, 0x900000)}, {Type: tde.Unencrypted, Start: tdetest.At(1, 0x708000)},
			}}, want: tde.ErrOverlap,
		},
		{
			name: "unknown cipher of the entry", file: tdetest.KeyFile{Entries: entries}, want: tde.ErrDamaged,
			edit: func(t *testing.T, pgdata string) { flip(t, filepath.Join(pgdata, "pg_tde/wal_keys"), 321) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pgdata := t.TempDir()
			dir := tt.file.Write(t, pgdata, tde.Percona)
			if tt.edit != nil {
				tt.edit(t, pgdata)
			}
			d, err := tde.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			c, err := tde.NewKeys(d, fetchFrom(pgdata)).Cipher(t.Context(), segment7)
			if c != nil || !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestDamagedOldEntryDoesNotBlockNewSegments(t *testing.T) {
	f := tdetest.KeyFile{Entries: []tdetest.Entry{
		{Type: tde.Encrypted, Start: tdetest.At(1, 1)},
		{Type: tde.Encrypted, Start: tdetest.At(1, 0x700000)},
	}}
	pgdata := t.TempDir()
	dir := f.Write(t, pgdata, tde.Percona)
	flip(t, filepath.Join(dir, "wal_keys"), 320+72)
	d, err := tde.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	k := tde.NewKeys(d, fetchFrom(pgdata))
	if _, err := k.Cipher(t.Context(), segment7); err != nil {
		t.Errorf("a segment of the sound entry: %v", err)
	}
	old := wal.Segment{Timeline: 1, No: 6, Size: wal.MinSegmentSize}
	if _, err := k.Cipher(t.Context(), old); !errors.Is(err, tde.ErrUnwrap) {
		t.Errorf("a segment of the damaged entry: got %v, want %v", err, tde.ErrUnwrap)
	}
}

// flip changes one byte of a file.
func flip(t *testing.T, path string, off int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[off] ^= 0x40
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
