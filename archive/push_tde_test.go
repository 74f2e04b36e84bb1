package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/crypt/tde"
	"walarchive/fixtures"
	"walarchive/keys"
	"walarchive/storage/storagetest"
)

// Key states that do not fit a recorded segment refuse it, also when they fit
// its first pages, and nothing is stored.
func TestPushRefusesKeysThatDoNotFit(t *testing.T) {
	scenarios, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, s := range scenarios {
		for _, seg := range s.Segments {
			for _, state := range seg.NotWith {
				if !seg.HasRaw() {
					continue
				}
				tried++
				t.Run(strings.Join([]string{s.Name, seg.Name, state}, "/"), func(t *testing.T) {
					host, err := s.Unpack(t.TempDir())
					if err == nil {
						err = host.SetKeys(state)
					}
					if err != nil {
						t.Fatal(err)
					}
					a, b, d := archiveOf(t, host)
					path, err := host.PutSegment(seg)
					if err != nil {
						t.Fatal(err)
					}
					_, err = a.Push(t.Context(), d, path)
					wantRefusal(t, err, archive.ErrInvalid, "does not fit the cluster's keys")
					wantObjects(t, b)
				})
			}
		}
	}
	if tried < 12 {
		t.Errorf("only %d recorded states that do not fit", tried)
	}
}

// archiveOf is a new archive, in memory, for a recorded cluster.
func archiveOf(t testing.TB, host fixtures.Host) (*archive.Archive, *storagetest.Memory, *archive.DataDir) {
	t.Helper()
	b := storagetest.NewMemory()
	d := dataDir(t, host.PGData)
	return initArchive(t, b, newRing(t), d, archive.Options{TDE: fetchFrom(host.Keyrings)}), b, d
}

// Whatever is wrong with the server's keys is told, and nothing is stored; as
// soon as it is right again the segment is archived.
func TestPushWithBrokenServerKeys(t *testing.T) {
	walKeys := func(change func(b []byte) []byte) func(t *testing.T, host fixtures.Host) {
		return func(t *testing.T, host fixtures.Host) {
			changeFile(t, filepath.Join(host.PGData, "pg_tde", "wal_keys"), change)
		}
	}
	keyring := func(change func(b []byte) []byte) func(t *testing.T, host fixtures.Host) {
		return func(t *testing.T, host fixtures.Host) {
			changeFile(t, filepath.Join(host.Keyrings, "b-keyring.per"), change)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, host fixtures.Host)
		kind  error
		text  string
	}{
		{"wal_keys gone", func(t *testing.T, host fixtures.Host) {
			remove(t, filepath.Join(host.PGData, "pg_tde", "wal_keys"))
		}, archive.ErrInvalid, "probably encrypted, but there is no"},
		{"pg_tde gone", func(t *testing.T, host fixtures.Host) { remove(t, filepath.Join(host.PGData, "pg_tde")) }, archive.ErrInvalid, "probably encrypted, but there is no"},
		{"wal_keys empty", walKeys(func(b []byte) []byte { return nil }), archive.ErrInvalid, "probably encrypted"},
		{"wal_keys without entries", walKeys(func(b []byte) []byte { return b[:320] }), archive.ErrInvalid, "has no range yet"},
		{"wal_keys cut in the header", walKeys(func(b []byte) []byte { return b[:100] }), archive.ErrTDE, "wal_keys"},
		{"wal_keys of an unknown version", walKeys(func(b []byte) []byte { b[3] ^= 0x40; return b }), archive.ErrTDE, "wal_keys"},
		{"bit in the header", walKeys(func(b []byte) []byte { return flip(b, 20) }), archive.ErrTDE, ""},
		{"bit in an entry's key", walKeys(func(b []byte) []byte { return flip(b, len(b)-30) }), archive.ErrTDE, ""},
		{"keyring gone", func(t *testing.T, host fixtures.Host) { remove(t, host.Keyrings) }, keys.ErrUnavailable, "no such file"},
		{"keyring empty", keyring(func(b []byte) []byte { return nil }), keys.ErrNoKey, "no such key"},
		{"keyring cut", keyring(func(b []byte) []byte { return b[:100] }), keys.ErrBadKeyring, "key store damaged"},
		{"wrong key in the keyring", keyring(func(b []byte) []byte { return flip(b, 256) }), tde.ErrWrongKey, "not the principal key"},
		{"providers gone", func(t *testing.T, host fixtures.Host) {
			remove(t, filepath.Join(host.PGData, "pg_tde", "1664_providers"))
		}, archive.ErrTDE, "1664_providers"},
		{"two key directories", func(t *testing.T, host fixtures.Host) { mkdir(t, filepath.Join(host.PGData, "open_pg_tde")) }, tde.ErrAmbiguous, "two key directories"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, seg := recordedHost(t, "B-single-key", "final")
			a, b, d := archiveOf(t, host)
			path, err := host.PutSegment(seg)
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(t, host)
			_, err = a.Push(t.Context(), d, path)
			wantRefusal(t, err, c.kind, c.text)
			wantObjects(t, b)
			remove(t, filepath.Join(host.PGData, "open_pg_tde"))
			if err := host.SetKeys("final"); err != nil {
				t.Fatal(err)
			}
			mustPush(t, a, d, path)
		})
	}
}

func changeFile(t *testing.T, path string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// An archive that was opened without a way to pg_tde's keys says so.
func TestPushWithoutAWayToServerKeys(t *testing.T) {
	host, seg := recordedHost(t, "B-single-key", "final")
	path, err := host.PutSegment(seg)
	if err != nil {
		t.Fatal(err)
	}
	d := dataDir(t, host.PGData)
	a := initArchive(t, storagetest.NewMemory(), newRing(t), d, archive.Options{})
	_, err = a.Push(t.Context(), d, path)
	wantRefusal(t, err, archive.ErrTDE, "no way to the key was given")
}

// Plaintext where the ranges say that it is encrypted came past pg_tde.
func TestPushRefusesPlaintextUnderAnEncryptedRange(t *testing.T) {
	host, seg := recordedHost(t, "B-single-key", "final")
	a, b, d := archiveOf(t, host)
	plain, err := seg.Plain()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(host.PGData, "pg_wal", seg.Name)
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = a.Push(t.Context(), d, path)
	wantRefusal(t, err, archive.ErrInvalid, "plaintext, though entry 0")
	wantObjects(t, b)
}

// A damaged byte of ciphertext is found like one of plaintext, wherever it is.
func TestPushRefusesDamagedCiphertext(t *testing.T) {
	for _, off := range []int{9, 2000, 512 << 10, 1<<20 - 100} {
		host, seg := recordedHost(t, "B-single-key", "final")
		a, b, d := archiveOf(t, host)
		raw, err := seg.Raw()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(host.PGData, "pg_wal", seg.Name)
		if err := os.WriteFile(path, flip(raw, off), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = a.Push(t.Context(), d, path)
		wantRefusal(t, err, archive.ErrInvalid, "")
		wantObjects(t, b)
	}
}

// What is stored is the plaintext, and its facts say how the host had it.
func TestPushStoresPlaintextAndItsSource(t *testing.T) {
	host, seg := recordedHost(t, "D-toggle", "5-final-on")
	a, _, d := archiveOf(t, host)
	path, err := host.PutSegment(seg)
	if err != nil {
		t.Fatal(err)
	}
	got, facts, err := a.Unseal(t.Context(), archive.KindSegment, mustPush(t, a, d, path).Object)
	if err != nil {
		t.Fatal(err)
	}
	want, err := seg.Plain()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the plaintext is another than pg_tde's own")
	}
	if facts.Source == nil || facts.SourceCut {
		t.Fatalf("got source %+v, cut %v", facts.Source, facts.SourceCut)
	}
	var spans []fixtures.Range
	for _, s := range facts.Source.Spans {
		if s.Type == tde.Encrypted {
			spans = append(spans, fixtures.Range{Entry: s.Entry, Type: "encrypted", Offset: s.From, End: s.To})
		}
	}
	recorded := seg.DecryptsWith["5-final-on"]
	if len(spans) != len(recorded) {
		t.Fatalf("got spans %v, want %v", spans, recorded)
	}
	for i := range spans {
		if spans[i] != recorded[i] {
			t.Errorf("span %d: got %v, want %v", i, spans[i], recorded[i])
		}
	}
	if facts.Source.Principal == "" || facts.Source.Provider == "" {
		t.Errorf("the source does not say which principal key it was: %+v", facts.Source)
	}
}
