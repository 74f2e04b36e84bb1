package archive_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/fixtures"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

const quarantined3 = "quarantine/00000001/00000001/000000010000000000000003.1"

// quarantine takes a file out of PostgreSQL's way.
func quarantine(t *testing.T, a *archive.Archive, d *archive.DataDir, path string) string {
	t.Helper()
	object, err := a.Quarantine(t.Context(), d, path, "bit rot")
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// Every kind of refusal has quarantine as a way out, for exactly these bytes.
func TestQuarantineIsAWayOut(t *testing.T) {
	for name, file := range map[string]func(h *host, a *archive.Archive) string{
		"bit rot": func(h *host, _ *archive.Archive) string {
			return h.put("000000010000000000000003", flip(h.Segment(3), 5000))
		},
		"all zero": func(h *host, _ *archive.Archive) string {
			return h.put("000000010000000000000003", make([]byte, 1<<20))
		},
		"empty": func(h *host, _ *archive.Archive) string { return h.put("000000010000000000000003", nil) },
		"truncated": func(h *host, _ *archive.Archive) string {
			return h.put("000000010000000000000003", h.Segment(3)[:5000])
		},
		"foreign": func(h *host, _ *archive.Archive) string {
			id := small
			id.SystemID++
			other := newHost(h.t, id)
			other.Fill(0)
			return h.put("000000010000000000000003", other.Segment(3))
		},
		"conflict": func(h *host, a *archive.Archive) string {
			mustPush(h.t, a, h.dir, h.putSegment(3))
			other := newHost(h.t, small)
			other.Skip(2048)
			other.Fill(0)
			return h.put("000000010000000000000003", other.Segment(3))
		},
		"history": func(h *host, _ *archive.Archive) string { return h.put("00000002.history", []byte("1\t0/3")) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			a, b := h.newArchive()
			h.Fill(0)
			path := file(h, a)
			if _, err := a.Push(t.Context(), h.dir, path); err == nil {
				t.Fatal("there is nothing to be quarantined")
			}
			object := quarantine(t, a, h.dir, path)
			if again := quarantine(t, a, h.dir, path); again != object {
				t.Errorf("quarantined twice, as %s and %s", object, again)
			}
			done := mustPush(t, a, h.dir, path)
			if !done.Quarantined || done.Object != object || done.Sealed != 0 {
				t.Errorf("got %+v, want the quarantined %s", done, object)
			}
			before := len(objects(t, b))
			p, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Push(t.Context(), h.dir, h.put(filepath.Base(path), append(p, 1))); err == nil {
				t.Error("a byte more passes, too")
			}
			if after := len(objects(t, b)); after != before {
				t.Errorf("%d objects, want %d", after, before)
			}
		})
	}
}

// A file whose WAL keys are lost can be quarantined as it is on disk.
func TestQuarantineWithoutTheServersKeys(t *testing.T) {
	for name, spoil := range map[string]func(host fixtures.Host) error{
		"wal_keys gone": func(host fixtures.Host) error { return os.Remove(filepath.Join(host.PGData, "pg_tde", "wal_keys")) },
		"wal_keys cut": func(host fixtures.Host) error {
			return os.Truncate(filepath.Join(host.PGData, "pg_tde", "wal_keys"), 300)
		},
		"keyring gone": func(host fixtures.Host) error { return os.RemoveAll(host.Keyrings) },
	} {
		t.Run(name, func(t *testing.T) {
			host, seg := recordedHost(t, "B-single-key", "final")
			path, err := host.PutSegment(seg)
			if err != nil {
				t.Fatal(err)
			}
			d := dataDir(t, host.PGData)
			a := initArchive(t, storagetest.NewMemory(), newRing(t), d, archive.Options{TDE: fetchFrom(host.Keyrings)})
			if err := spoil(host); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Push(t.Context(), d, path); err == nil {
				t.Fatal("pushed without keys")
			}
			object := quarantine(t, a, d, path)
			if done := mustPush(t, a, d, path); !done.Quarantined || done.Object != object {
				t.Errorf("got %+v, want the quarantined %s", done, object)
			}
		})
	}
}

// recordedHost is the host of a recorded scenario with one of its key states, and
// the first of its segments that is stored raw.
func recordedHost(t testing.TB, scenario, state string) (fixtures.Host, fixtures.Segment) {
	t.Helper()
	s, err := fixtures.Open(scenario)
	if err != nil {
		t.Fatal(err)
	}
	host, err := s.Unpack(t.TempDir())
	if err == nil && state != "" {
		err = host.SetKeys(state)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, seg := range s.Segments {
		if seg.HasRaw() {
			return host, seg
		}
	}
	t.Fatalf("%s has no raw segment", scenario)
	return host, fixtures.Segment{}
}

// What says nothing about the file is no reason to give it up.
func TestQuarantineRefuses(t *testing.T) {
	h := newHost(t, small)
	flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
	a := initArchive(t, flaky, newRing(t), h.dir, archive.Options{})
	sound := h.full()
	broken := h.put("000000010000000000000004", make([]byte, 1<<20))
	mkdir(t, h.path("000000010000000000000005"))
	for _, c := range []struct {
		name, path, reason string
		store              error
		want               string
	}{
		{"no reason", broken, "", nil, "needs a reason"},
		{"too much of a reason", broken, strings.Repeat("x", 4097), nil, "needs a reason of 1 to 4096 bytes"},
		{"store out of reach", sound, "x", storage.ErrUnavailable, "nothing was quarantined: put wal/"},
		{"missing", h.path("000000010000000000000006"), "x", nil, "nothing was quarantined: open"},
		{"directory", h.path("000000010000000000000005"), "x", nil, "no regular file"},
		{"no WAL name", h.put("x", []byte("x")), "x", nil, "nothing was quarantined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			flaky.Fail = func(op, name string, n int) error { return c.store }
			_, err := a.Quarantine(t.Context(), h.dir, c.path, c.reason)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v, want one line with %q", err, c.want)
			}
			flaky.Fail = nil
			wantObjects(t, flaky)
		})
	}
	_, err := a.Quarantine(t.Context(), h.dir, sound, "x")
	if err == nil || !strings.Contains(err.Error(), "nothing to quarantine") {
		t.Errorf("a sound file: got error %v", err)
	}
	wantObjects(t, flaky, strings.TrimSuffix(partial3, ".partial"))
}

// Files under quarantine are told apart by their names, the .partial of a
// segment from the segment.
func TestQuarantineIsOfOneName(t *testing.T) {
	h := newHost(t, small)
	a, b := h.newArchive()
	zeros := make([]byte, 1<<20)
	quarantine(t, a, h.dir, h.put("000000010000000000000003.partial", zeros))
	_, err := a.Push(t.Context(), h.dir, h.put("000000010000000000000003", zeros))
	wantRefusal(t, err, archive.ErrInvalid, "magic is 0x0000")
	quarantine(t, a, h.dir, h.path("000000010000000000000003"))
	quarantine(t, a, h.dir, h.put("000000010000000000000003", append(zeros, 0)))
	wantObjects(t, b, quarantined3, strings.TrimSuffix(quarantined3, "1")+"2", strings.TrimSuffix(quarantined3, "1")+"partial.1")
}

// When the look into the quarantine fails, the refusal stands and both causes
// are told.
func TestPushTellsWhyQuarantineIsUnknown(t *testing.T) {
	h := newHost(t, small)
	flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
	a := initArchive(t, flaky, newRing(t), h.dir, archive.Options{})
	flaky.Fail = func(op, name string, n int) error {
		if op == "list" {
			return storage.ErrUnavailable
		}
		return nil
	}
	_, err := a.Push(t.Context(), h.dir, h.put("000000010000000000000003", nil))
	wantRefusal(t, err, archive.ErrInvalid, "whether it is under quarantine cannot be told")
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got error %v, want the store's among its causes", err)
	}
}

// The sealed bytes are the file's, whatever they are.
func TestQuarantineKeepsEveryByte(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	want := dirty(make([]byte, 3<<20), 0)
	object := quarantine(t, a, h.dir, h.put("000000010000000000000003", want))
	got, facts, err := a.Unseal(t.Context(), archive.KindQuarantine, object)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || facts.Reason != "bit rot" || facts.Host != "db1" {
		t.Errorf("got %d bytes with reason %q, want the file's %d", len(got), facts.Reason, len(want))
	}
}

// A file that changes while it is quarantined is not: nobody has seen these
// bytes.
func TestQuarantineDropsAFileThatChanges(t *testing.T) {
	for name, take := range takings {
		if name == "replaced" {
			continue // by the same bytes, and they are what counts
		}
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			path := h.put("000000010000000000000003", dirty(make([]byte, 3<<20), 0))
			b := hooked{newBucket(t), func(name string) {
				if strings.HasPrefix(name, "quarantine/") {
					take(t, path)
				}
			}}
			a := initArchive(t, b, newRing(t), h.dir, archive.Options{})
			_, err := a.Quarantine(t.Context(), h.dir, path, "bit rot")
			wantRefusal(t, err, archive.ErrChanged, "changed while it was read")
			wantObjects(t, b)
		})
	}
}
