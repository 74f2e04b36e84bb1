package archive_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/mirror"
	"walarchive/storage/storagetest"
)

// twin is an archive in two stores.
type twin struct {
	*host
	*archive.Archive
	ring          *keys.Ring
	first, second *storagetest.Flaky
	later         time.Duration // by which its clock is ahead
}

func newTwin(t *testing.T) *twin {
	t.Helper()
	w := &twin{host: newHost(t, small), ring: newRing(t),
		first:  &storagetest.Flaky{Bucket: storagetest.NewMemory()},
		second: &storagetest.Flaky{Bucket: storagetest.NewMemory()}}
	w.Archive = initArchive(t, w.bucket(0), w.ring, w.dir, w.options())
	return w
}

func (w *twin) options() archive.Options {
	return archive.Options{Now: func() time.Time { return time.Now().Add(w.later) }}
}

func (w *twin) bucket(quorum int) *mirror.Bucket {
	return mirror.New([]mirror.Store{{Name: "mem://first", Bucket: w.first}, {Name: "mem://second", Bucket: w.second}}, mirror.Options{Quorum: quorum})
}

// wantProblems verifies, with the clock past what may be on its way, and checks
// what is wrong: parts of the lines in order.
func (w *twin) wantProblems(level archive.Level, want ...string) {
	w.t.Helper()
	w.later = time.Hour
	defer func() { w.later = 0 }()
	r, err := w.Verify(w.t.Context(), archive.VerifyOptions{Level: level})
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, p := range r.Problems {
		got = append(got, p.String())
	}
	if len(got) != len(want) {
		w.t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			w.t.Errorf("got %q, want %q in it", got[i], want[i])
		}
	}
}

func down(op, _ string, _ int) error { return storage.ErrUnavailable }

// Each store alone is the whole archive: key chain, histories, segments.
func TestMirrorAloneRestores(t *testing.T) {
	w := newTwin(t)
	full, at := w.switched(), w.LSN()
	w.Promote(2, 0)
	w.putHistory(2, at)
	paths := []string{full, w.path("00000002.history"), w.switched()}
	for _, path := range paths {
		mustPush(t, w.Archive, w.dir, path)
	}
	w.wantProblems(archive.LevelFull)
	alone, err := archive.Open(t.Context(), w.second, w.ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		wantContent(t, alone, w.dir, filepath.Base(path), b)
	}
	r, err := alone.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelFull})
	if err != nil || !r.Sound() {
		t.Errorf("got %+v, %v", r, err)
	}
}

// What Get delivers, and what it says of the store, by what is wrong with the
// first one.
func TestGetFallsBack(t *testing.T) {
	w := newTwin(t)
	path := w.full()
	object := mustPush(t, w.Archive, w.dir, path).Object
	good := sealed(t, w.first, object)
	for _, c := range []struct {
		name  string
		spoil func()
		store string
		warns string
	}{
		{"all well", func() {}, "mem://first", ""},
		{"lost", func() { removeObject(t, w.first, object) }, "mem://second", "does not exist"},
		{"damaged in its head", func() { overwrite(t, w.first, object, flip(good, 200)) }, "mem://second", "damaged"},
		{"damaged in the middle", func() { overwrite(t, w.first, object, flip(good, len(good)/2)) }, "mem://second", "damaged"},
		{"cut short", func() { overwrite(t, w.first, object, good[:len(good)-1]) }, "mem://second", "damaged"},
		{"out of reach", func() { w.first.Fail = down }, "mem://second", "not available"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spoil()
			a, err := archive.Open(t.Context(), w.bucket(0), w.ring, archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			dest := filepath.Join(t.TempDir(), "x")
			got, err := a.Get(t.Context(), w.dir, filepath.Base(path), dest, archive.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			warnings := strings.Join(got.Warnings, "\n")
			if got.Store != c.store || (c.warns == "") != (warnings == "") || !strings.Contains(warnings, c.warns) {
				t.Errorf("got %+v, want %s and a warning of %q", got, c.store, c.warns)
			}
			if b, err := os.ReadFile(dest); err != nil || !bytes.Equal(b, w.Segment(3)) {
				t.Errorf("other content was delivered, %v", err)
			}
			if got.Sealed != int64(len(good)) {
				t.Errorf("%d bytes of %d were counted", got.Sealed, len(good))
			}
		})
	}
	w.first.Fail = nil
}

func removeObject(t *testing.T, b storage.Bucket, object string) {
	t.Helper()
	if err := b.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// Absence is the first store's word: a mirror neither says it nor hinders it.
func TestAbsenceIsTheFirstStores(t *testing.T) {
	w := newTwin(t)
	path := w.full()
	next := w.Name(4).String()
	mustPush(t, w.Archive, w.dir, path)
	get := func() error {
		a, err := archive.Open(t.Context(), w.bucket(0), w.ring, archive.Options{})
		if err != nil {
			return err
		}
		_, err = a.Get(t.Context(), w.dir, next, filepath.Join(t.TempDir(), "RECOVERYXLOG"), archive.GetOptions{})
		return err
	}
	w.second.Fail = down
	if err := get(); !errors.Is(err, archive.ErrEnd) {
		t.Errorf("the mirror is away: got %v, want %v", err, archive.ErrEnd)
	}
	w.second.Fail, w.first.Fail = nil, down
	if err := get(); err == nil || errors.Is(err, archive.ErrEnd) || errors.Is(err, archive.ErrHole) || errors.Is(err, storage.ErrNotExist) {
		t.Errorf("the first is away: got %v, which is no word about the file", err)
	}
	// The first answers, but cannot be listed.
	w.first.Fail = func(op, name string, _ int) error {
		if op == "list" && strings.HasPrefix(name, "wal/") {
			return storage.ErrUnavailable
		}
		return nil
	}
	if err := get(); !errors.Is(err, mirror.ErrIncomplete) || errors.Is(err, archive.ErrEnd) {
		t.Errorf("the first cannot be listed: got %v, want %v", err, mirror.ErrIncomplete)
	}
}

// A push that a mirror did not get is not acknowledged, and completed by the
// next one; with a quorum it is, and walarchive mirror completes it.
func TestPushWithMirrorAway(t *testing.T) {
	w := newTwin(t)
	path := w.full()
	w.second.Fail = down
	if _, err := w.Push(t.Context(), w.dir, path); !errors.Is(err, mirror.ErrQuorum) {
		t.Fatalf("got %v, want %v", err, mirror.ErrQuorum)
	}
	w.second.Fail = nil
	if done := mustPush(t, w.Archive, w.dir, path); !done.Already {
		t.Error("the first store had no object")
	}
	w.wantProblems(archive.LevelFull)

	w.second.Fail = down
	lax, err := archive.Open(t.Context(), w.bucket(1), w.ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	object := mustPush(t, lax, w.dir, w.full()).Object
	w.second.Fail = nil
	w.wantProblems(archive.LevelNames, object+": missing in mem://second")
	w.wantMirrored(1)
	w.wantProblems(archive.LevelFull)
	w.wantMirrored(0)
}

func (w *twin) wantMirrored(objects int, problems ...string) {
	w.t.Helper()
	done, err := w.Mirror(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if done.Objects != objects || len(done.Problems) != len(problems) {
		w.t.Fatalf("got %+v, want %d objects copied and problems %q", done, objects, problems)
	}
	for i, p := range done.Problems {
		if !strings.Contains(p.String(), problems[i]) {
			w.t.Errorf("got %v, want %q in it", p, problems[i])
		}
	}
}

// A new mirror gets everything; what the first store lost comes back.
func TestMirrorFillsBothSides(t *testing.T) {
	w := newTwin(t)
	object := mustPush(t, w.Archive, w.dir, w.full()).Object
	w.second.Bucket = storagetest.NewMemory()
	w.wantMirrored(3) // hint, key chain, segment
	removeObject(t, w.first, object)
	w.wantProblems(archive.LevelNames, object+": missing in mem://first")
	w.wantMirrored(1)
	w.wantProblems(archive.LevelFull)
}

// What comes back to the first store authenticates; the key chain never comes
// back entry by entry.
func TestMirrorBringsNothingBadBack(t *testing.T) {
	w := newTwin(t)
	object := mustPush(t, w.Archive, w.dir, w.full()).Object
	overwrite(t, w.second, object, flip(sealed(t, w.second, object), 5000))
	removeObject(t, w.first, object)
	put := func(name string) {
		if err := w.second.Put(t.Context(), name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	put("keys/00000002")
	put("wal/stray")
	w.wantMirrored(0, "keys/00000002: missing in the first store", "damaged", "wal/stray")
	if names := objects(t, w.first); len(names) != 2 {
		t.Errorf("the first store has %v", names)
	}
}

func TestMirrorWithoutOne(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	_, err := a.Mirror(t.Context(), nil)
	wantRefusal(t, err, archive.ErrNoMirror, "")
}

// Verify looks into the first store itself, and names what differs.
func TestVerifyComparesMirrors(t *testing.T) {
	w := newTwin(t)
	object := mustPush(t, w.Archive, w.dir, w.full()).Object
	good := sealed(t, w.first, object)
	for _, c := range []struct {
		name  string
		b     storage.Bucket
		bytes []byte
		level archive.Level
		want  []string
	}{
		{"mirror rotten, names", w.second, flip(good, len(good)/2), archive.LevelNames, nil},
		{"mirror rotten, full", w.second, flip(good, len(good)/2), archive.LevelFull, []string{"mirror: " + object + ": SHA-256"}},
		{"mirror shorter", w.second, good[1:], archive.LevelNames, []string{"bytes in mem://second"}},
		{"first rotten", w.first, flip(good, len(good)/2), archive.LevelFull, []string{"damaged: " + object, "mirror: " + object}},
	} {
		t.Run(c.name, func(t *testing.T) {
			overwrite(t, c.b, object, c.bytes)
			defer overwrite(t, c.b, object, good)
			w.wantProblems(c.level, c.want...)
		})
	}
}

// What was written a moment ago may be on its way; a mirror that is away is no
// problem of the archive, but not checked either.
func TestVerifyBesidePush(t *testing.T) {
	w := newTwin(t)
	object := mustPush(t, w.Archive, w.dir, w.full()).Object
	removeObject(t, w.second, object)
	r, err := w.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelNames})
	if err != nil || !r.Sound() || len(r.Notes) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	w.second.Fail = down
	r, err = w.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelNames})
	if err != nil || !r.Sound() || len(r.Unchecked) != 1 || !strings.Contains(r.Unchecked[0], "mem://second") {
		t.Errorf("got %+v, %v", r, err)
	}
}

// Repair takes what is bad out of the store in which it is, and what is sound
// from another.
func TestRepairOfMirrors(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second func(p []byte) []byte // nil: sound
		moved, copied string
	}{
		{"first damaged", damage, nil, "mem://first", "mem://first"},
		{"mirror damaged", nil, damage, "mem://second", "mem://second"},
		{"first lost", lose, nil, "", "mem://first"},
		{"mirror lost", nil, lose, "", "mem://second"},
		{"both damaged", damage, damage, "mem://first mem://second", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTwin(t)
			path := w.full()
			object := mustPush(t, w.Archive, w.dir, path).Object
			good := sealed(t, w.first, object)
			for b, spoil := range map[storage.Bucket]func([]byte) []byte{w.first: c.first, w.second: c.second} {
				if spoil == nil {
					continue
				}
				removeObject(t, b, object)
				if p := spoil(good); p != nil {
					if err := b.Put(t.Context(), object, bytes.NewReader(p)); err != nil {
						t.Fatal(err)
					}
				}
			}
			done, err := w.Repair(t.Context(), filepath.Base(path))
			if err != nil {
				t.Fatal(err)
			}
			var moved []string
			for _, m := range done.Moved {
				moved = append(moved, m.Store)
			}
			if strings.Join(moved, " ") != c.moved || strings.Join(done.Copied, " ") != c.copied {
				t.Errorf("got %+v, want moved in %q, copied to %q", done, c.moved, c.copied)
			}
			mustPush(t, w.Archive, w.dir, path)
			w.wantProblems(archive.LevelFull)
			if _, err := w.Repair(t.Context(), object); err == nil {
				t.Error("repaired again")
			}
		})
	}
}

func damage(p []byte) []byte { return flip(p, len(p)/2) }
func lose([]byte) []byte     { return nil }

// A mirror that has the same WAL sealed another time keeps push from success,
// and repair is the way out.
func TestRepairOfMirrorThatDiffers(t *testing.T) {
	w := newTwin(t)
	path := w.full()
	object := mustPush(t, w.Archive, w.dir, path).Object
	old := sealed(t, w.second, object)
	for _, b := range []storage.Bucket{w.first, w.second} {
		removeObject(t, b, object)
	}
	mustPush(t, w.Archive, w.dir, path)
	overwrite(t, w.second, object, old)
	_, err := w.Push(t.Context(), w.dir, path)
	wantRefusal(t, err, mirror.ErrQuorum, mirror.ErrDiffers.Error())
	done, err := w.Repair(t.Context(), object)
	if err != nil || len(done.Moved) != 1 || done.Moved[0].Store != "mem://second" || len(done.Copied) != 1 {
		t.Fatalf("got %+v, %v", done, err)
	}
	if got := sealed(t, w.second, done.Moved[0].Object); !bytes.Equal(got, old) {
		t.Error("the mirror's own object is lost")
	}
	mustPush(t, w.Archive, w.dir, path)
	w.wantProblems(archive.LevelFull)
}

// A rotation that one writer loses reaches the mirrors all the same.
func TestKeyChainReachesMirrors(t *testing.T) {
	w := newTwin(t)
	w.ring = keys.NewRing(generations(t, "a", "b"))
	w.first.Bucket, w.second.Bucket = storagetest.NewMemory(), storagetest.NewMemory()
	a, err := archive.Init(t.Context(), w.bucket(0), w.ring, generation("a"), w.dir, false, w.options())
	if err != nil {
		t.Fatal(err)
	}
	w.Archive = a
	w.second.Fail = down
	if err := a.RotatePrincipal(t.Context(), generation("b")); !errors.Is(err, mirror.ErrQuorum) {
		t.Errorf("got %v, want %v", err, mirror.ErrQuorum)
	}
	w.second.Fail = nil
	w.wantProblems(archive.LevelNames, "keys/00000002: missing in mem://second")
	w.wantMirrored(1)
	w.wantProblems(archive.LevelFull)
}
