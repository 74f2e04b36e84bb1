package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
	"walarchive/keys"
	keyfile "walarchive/keys/file"
	"walarchive/storage"
	"walarchive/storage/file"
)

// principal is the principal key that tests make archives under.
var principal = keys.Ref{Provider: "local", Key: "wal-2026"}

// newRing is a ring with one fresh keyring that holds principal.
func newRing(t testing.TB) *keys.Ring {
	t.Helper()
	p := keyfile.New(filepath.Join(t.TempDir(), "keyring"))
	if _, err := p.Create(t.Context(), principal.Key); err != nil {
		t.Fatal(err)
	}
	return keys.NewRing(map[string]keys.Provider{"local": p})
}

// newBucket is an empty file store.
func newBucket(t testing.TB) storage.Bucket {
	t.Helper()
	b, err := file.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fetchFrom reads pg_tde's principal keys from the keyring files in dir.
func fetchFrom(dir string) tde.Fetch {
	return func(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
		o, err := p.Options()
		if err != nil {
			return crypt.Key{}, err
		}
		path := o.(tde.FileOptions).Path
		return keyfile.New(filepath.Join(dir, strings.TrimPrefix(path, fixtures.KeyringDir))).Key(ctx, name)
	}
}

func dataDir(t testing.TB, path string) *archive.DataDir {
	t.Helper()
	d, err := archive.OpenDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// modes are those in which encrypted segments can be archived.
var modes = []archive.Mode{archive.Reseal, archive.Preserve}

// Every recorded segment, with every key state that fits, is archived in both
// modes and comes back as the very bytes that the server had: to the server
// itself, whose keys may have been rotated since, and to one with other keys.
func TestRecordedSegmentsRoundTrip(t *testing.T) {
	scenarios, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	preserved := 0
	for _, s := range scenarios {
		for _, seg := range s.Segments {
			states := statesFor(s, seg)
			for _, state := range states {
				for _, mode := range modes {
					t.Run(strings.Join([]string{s.Name, seg.Server, seg.Name, state, string(mode)}, "/"), func(t *testing.T) {
						if roundTrip(t, s, seg, mode, state, states[len(states)-1]) == archive.ProofPreserved {
							preserved++
						}
					})
				}
			}
		}
	}
	if preserved < 30 {
		t.Errorf("only %d segments were preserved", preserved)
	}
}

// statesFor lists the key states that fit, in order of time; a plain cluster
// has the state "".
func statesFor(s fixtures.Scenario, seg fixtures.Segment) []string {
	if s.KeyDir() == "" {
		return []string{""}
	}
	return slices.Sorted(maps.Keys(seg.DecryptsWith))
}

// hostWith unpacks a scenario with the keys of a state ("" for none).
func hostWith(t *testing.T, s fixtures.Scenario, state string) fixtures.Host {
	t.Helper()
	h, err := s.Unpack(t.TempDir())
	if err == nil && state != "" {
		err = h.SetKeys(state)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// putRaw writes a segment into pg_wal as the server had it. Where only the
// plaintext was recorded it is encrypted again.
func putRaw(t *testing.T, h fixtures.Host, seg fixtures.Segment) (path string, raw []byte) {
	t.Helper()
	var err error
	if seg.HasRaw() {
		raw, err = seg.Raw()
	} else if raw, err = seg.Plain(); err == nil {
		cipherOf(t, h, seg.Name).XOR(raw, 0)
	}
	if sum := sha256.Sum256(raw); err == nil && hex.EncodeToString(sum[:]) != seg.RawSHA256 {
		t.Fatal("not the bytes that the server had")
	}
	path = filepath.Join(h.PGData, "pg_wal", seg.Name)
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, raw
}

// roundTrip archives a segment with the keys of one state and restores it with
// those of another, and to a server with keys of its own.
func roundTrip(t *testing.T, s fixtures.Scenario, seg fixtures.Segment, mode archive.Mode, state, later string) archive.Proof {
	source := hostWith(t, s, state)
	path, raw := putRaw(t, source, seg)
	d := dataDir(t, source.PGData)
	o := archive.Options{TDE: fetchFrom(source.Keyrings), Mode: mode}
	if mode == archive.Preserve {
		o.TDE = noKeys(t)
	}
	b, ring := newBucket(t), newRing(t)
	a, err := archive.Init(t.Context(), b, ring, principal, d, false, o)
	if err != nil {
		t.Fatal(err)
	}
	done := mustPush(t, a, d, path)

	rotated := hostWith(t, s, later)
	if a, err = archive.Open(t.Context(), b, ring, archive.Options{TDE: fetchFrom(rotated.Keyrings)}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, a, dataDir(t, rotated.PGData), seg.Name); !bytes.Equal(got, raw) {
		t.Error("the restored bytes are not those of the server")
	}
	other := hostWith(t, s, "")
	own := tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 8)}}, KeyName: "another"}
	own.Write(t, other.PGData, tde.Percona)
	target := dataDir(t, other.PGData)
	both := either(fetchFrom(rotated.Keyrings), fetchFrom(other.PGData))
	if a, err = archive.Open(t.Context(), b, ring, archive.Options{TDE: both}); err != nil {
		t.Fatal(err)
	}
	got := content(t, a, target, seg.Name)
	if bytes.Equal(got, raw) {
		t.Error("another server got the bytes as its source had them")
	}
	decrypt(t, target, both, strings.TrimSuffix(seg.Name, ".partial"), got)
	if later != "" {
		cipherOf(t, rotated, seg.Name).XOR(got, 0)
	}
	if !bytes.Equal(got, raw) {
		t.Error("another server would read other plaintext")
	}
	return done.Proof
}

// cipherOf is how a recorded server encrypts a segment.
func cipherOf(t *testing.T, h fixtures.Host, name string) *tde.Cipher {
	t.Helper()
	path, found, err := tde.Find(h.PGData)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	dir, err := tde.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := wal.ParseName(name, dataDir(t, h.PGData).Control.SegmentSize)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tde.NewKeys(dir, fetchFrom(h.Keyrings)).Cipher(t.Context(), n.Segment)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noKeys fails the test when it is asked for a key.
func noKeys(t testing.TB) tde.Fetch {
	return func(context.Context, tde.Provider, string) (crypt.Key, error) {
		t.Error("a principal key was asked for")
		return crypt.Key{}, keys.ErrUnavailable
	}
}

// either asks one after the other.
func either(all ...tde.Fetch) tde.Fetch {
	return func(ctx context.Context, p tde.Provider, name string) (key crypt.Key, err error) {
		for _, fetch := range all {
			if key, err = fetch(ctx, p, name); err == nil {
				return key, nil
			}
		}
		return key, err
	}
}

// What pg_tde_restore_encrypt wrote for the server that restores, get writes, in
// whichever mode the source archived, with other keys in other key files.
func TestRestoreEncryptsWhatWasArchivedForTheTarget(t *testing.T) {
	const name = "00000001000000000000000B"
	s, err := fixtures.Open("G-basebackup-restore")
	if err != nil {
		t.Fatal(err)
	}
	var archived, written fixtures.Segment
	for _, g := range s.Segments {
		if g.Name == name && g.Kind == "archived" {
			archived = g
		} else if g.Name == name {
			written = g
		}
	}
	for _, mode := range modes {
		for state := range written.DecryptsWith {
			t.Run(string(mode)+"/"+state, func(t *testing.T) {
				source, target := hostWith(t, s, "source-final"), hostWith(t, s, state)
				path, _ := putRaw(t, source, archived)
				d := dataDir(t, source.PGData)
				a := initArchive(t, newBucket(t), newRing(t), d, archive.Options{TDE: fetchFrom(source.Keyrings), Mode: mode})
				mustPush(t, a, d, path)
				got := content(t, a, dataDir(t, target.PGData), name)
				if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != written.RawSHA256 {
					t.Error("not the bytes that restore_encrypt wrote")
				}
			})
		}
	}
}
