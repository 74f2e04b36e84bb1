package archive_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/crypt"
	"walarchive/crypt/tde"
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

// Every recorded segment, with every key state that fits, is archived and comes
// back as the very bytes that the server had.
func TestRecordedSegmentsRoundTrip(t *testing.T) {
	scenarios, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		for _, seg := range s.Segments {
			for _, state := range statesFor(t, s, seg) {
				t.Run(strings.Join([]string{s.Name, seg.Server, seg.Name, state}, "/"), func(t *testing.T) {
					roundTrip(t, s, seg, state)
				})
			}
		}
	}
}

// statesFor lists the key states that fit; a plain cluster has the state "".
func statesFor(t *testing.T, s fixtures.Scenario, seg fixtures.Segment) []string {
	if s.KeyDir() == "" {
		return []string{""}
	}
	var states []string
	for state := range seg.DecryptsWith {
		states = append(states, state)
	}
	return states
}

func roundTrip(t *testing.T, s fixtures.Scenario, seg fixtures.Segment, state string) {
	host, err := s.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if state != "" {
		if err := host.SetKeys(state); err != nil {
			t.Fatal(err)
		}
	}
	if !seg.HasRaw() {
		return
	}
	path, err := host.PutSegment(seg)
	if err != nil {
		t.Fatal(err)
	}
	d := dataDir(t, host.PGData)
	a, err := archive.Init(t.Context(), newBucket(t), newRing(t), principal, d, false, archive.Options{TDE: fetchFrom(host.Keyrings)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Push(t.Context(), d, path); err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(host.PGData, "pg_wal", "RECOVERYXLOG")
	if _, err := a.Get(t.Context(), d, seg.Name, dest, archive.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(dest)
	if err != nil {
		t.Fatal(err)
	}
	want, err := seg.Raw()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the restored bytes are not those of the server")
	}
}
