package archive_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"walarchive/archive"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// The files of one cluster, two contents of each name.
func twoContents(h *host) map[string][2][]byte {
	h.Skip(512)
	one := h.Segment(3)
	h.Fill(0)
	other := newHost(h.t, h.id)
	other.Skip(1024)
	two := other.Segment(3)
	other.Fill(0)
	return map[string][2][]byte{
		"000000010000000000000003":                 {h.Segment(3), other.Segment(3)},
		"000000010000000000000003.00000028.backup": {[]byte("LABEL: a\n"), []byte("LABEL: b\n")},
		"00000002.history":                         {[]byte("1\t0/300100\tno recovery target specified\n"), []byte("1\t0/300200\tx\n")},
		"000000010000000000000003.partial":         {one, two},
	}
}

// The same name with the same content again is success, and nothing but the
// attempt goes to the bucket.
func TestPushTheSameAgain(t *testing.T) {
	h := newHost(t, small)
	for name, contents := range twoContents(h) {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			b := &storagetest.Recorder{Bucket: storagetest.NewMemory()}
			ring := newRing(t)
			a := initArchive(t, b, ring, h.dir, archive.Options{Host: "first"})
			path := h.put(name, contents[0])
			first := mustPush(t, a, h.dir, path)
			if first.Already || first.Sealed == 0 {
				t.Errorf("first push: got %+v, want a new object", first)
			}
			before := sealed(t, b, first.Object)
			other, err := archive.Open(t.Context(), b, ring, archive.Options{Host: "second"})
			if err != nil {
				t.Fatal(err)
			}
			b.Reset()
			again := mustPush(t, other, h.dir, path)
			if !again.Already || again.Sealed != 0 || again.Object != first.Object {
				t.Errorf("second push: got %+v, want the object that is there", again)
			}
			attempt := storagetest.Call{Op: "put", Name: first.Object}
			if n := len(slices.DeleteFunc(b.Calls(), func(c storagetest.Call) bool { return c != attempt })); n != 1 {
				t.Errorf("%d puts, want the one attempt", n)
			}
			if got := sealed(t, b, first.Object); string(got) != string(before) {
				t.Error("the object changed")
			}
		})
	}
}

// A store that refuses the name of a deleted object is told as such, and is no
// dead end.
func TestPushOntoADeletedName(t *testing.T) {
	h := newHost(t, small)
	b := &storagetest.Flaky{Bucket: storagetest.NewMemory(), Fail: func(op, name string, _ int) error {
		if op == "put" && strings.HasPrefix(name, "wal/") {
			return storage.ErrExist
		}
		return nil
	}}
	a := initArchive(t, b, newRing(t), h.dir, archive.Options{})
	path := h.full()
	_, err := a.Push(t.Context(), h.dir, path)
	wantRefusal(t, err, err, "it holds a deleted version")
	if _, err := a.Quarantine(t.Context(), h.dir, path, "its name is locked"); err != nil {
		t.Fatal(err)
	}
	if done := mustPush(t, a, h.dir, path); !done.Quarantined {
		t.Errorf("push after quarantine: got %+v", done)
	}
}

// The same name with other content is refused, and the message tells both
// contents apart and the first writer.
func TestPushRefusesOtherContent(t *testing.T) {
	h := newHost(t, small)
	for name, contents := range twoContents(h) {
		if strings.HasSuffix(name, ".partial") {
			continue // TestPushKeepsBothPartials
		}
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			a, b := h.newArchive()
			mustPush(t, a, h.dir, h.put(name, contents[0]))
			before := objects(t, b)
			_, err := a.Push(t.Context(), h.dir, h.put(name, contents[1]))
			for _, text := range []string{
				crypt.DigestBytes(contents[0]).String(), crypt.DigestBytes(contents[1]).String(),
				"system 7654321", `written by "db1" at 20`,
			} {
				wantRefusal(t, err, archive.ErrConflict, text)
			}
			if got := objects(t, b); len(got) != len(before) {
				t.Errorf("stored are %q, want %q", got, before)
			}
			wantContent(t, a, h.dir, name, contents[0])
		})
	}
}

// Who cannot open the object that has the name can say neither same nor other.
func TestPushWithoutTheFirstWritersKey(t *testing.T) {
	h := newHost(t, small)
	b := storagetest.NewMemory()
	providers := generations(t, "g1", "g2", "g3")
	a, err := archive.Init(t.Context(), b, keys.NewRing(providers), generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := h.full()
	mustPush(t, a, h.dir, path)
	rotate(t, a, "g2", "g3") // the first epoch is under g1 and g2
	delete(providers, "g1")
	delete(providers, "g2")
	a, err = archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Push(t.Context(), h.dir, path)
	if !errors.Is(err, keys.ErrNoKey) || errors.Is(err, archive.ErrConflict) || errors.Is(err, archive.ErrDamaged) {
		t.Errorf("got error %v, want a missing key and nothing said of the content", err)
	}
	if _, err := a.Repair(t.Context(), filepath.Base(path)); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("repair: got error %v, want the missing key", err)
	}
}

// An object that does not authenticate is neither same nor other: the way out
// is repair.
func TestPushOntoADamagedObject(t *testing.T) {
	for name, damage := range map[string]func(p []byte) []byte{
		"empty":               func(p []byte) []byte { return nil },
		"cut in the header":   func(p []byte) []byte { return p[:100] },
		"cut in the facts":    func(p []byte) []byte { return p[:900] },
		"cut in the middle":   func(p []byte) []byte { return p[:len(p)/2] },
		"last byte gone":      func(p []byte) []byte { return p[:len(p)-1] },
		"a byte more":         func(p []byte) []byte { return append(p, 0) },
		"bit in the facts":    func(p []byte) []byte { return flip(p, 900) },
		"bit in the last tag": func(p []byte) []byte { return flip(p, len(p)-3) },
		"noise":               func(p []byte) []byte { return dirty(p, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			a, b := h.newArchive()
			path := h.full()
			object := mustPush(t, a, h.dir, path).Object
			overwrite(t, b, object, damage(sealed(t, b, object)))
			_, err := a.Push(t.Context(), h.dir, path)
			wantRefusal(t, err, archive.ErrDamaged, object)
			var hint interface{ Hint() string }
			if errors.As(err, &hint); !strings.Contains(hint.Hint(), "walarchive repair "+object) {
				t.Errorf("hint %q does not name the repair", hint.Hint())
			}
			if _, err := a.Repair(t.Context(), object); err != nil {
				t.Fatalf("repair: %v", err)
			}
			if mustPush(t, a, h.dir, path).Already {
				t.Error("after the repair the object was there already")
			}
			wantContent(t, a, h.dir, filepath.Base(path), h.Segment(3))
		})
	}
}

// Every bit counts: whichever byte of a stored object changes, the same content
// is not found there, and no other content either.
func TestPushOntoAnyChangedByte(t *testing.T) {
	h := newHost(t, small)
	a, b := h.newArchive()
	path := h.put("00000002.history", []byte("1\t0/300100\tno recovery target specified\n"))
	object := mustPush(t, a, h.dir, path).Object
	sound := sealed(t, b, object)
	newer := 0
	for off := range sound {
		overwrite(t, b, object, flip(sound, off))
		_, err := a.Push(t.Context(), h.dir, path)
		switch {
		case errors.Is(err, archive.ErrDamaged):
		case errors.Is(err, seal.ErrVersion):
			wantRefusal(t, err, seal.ErrVersion, "the name is taken")
			newer++
		default:
			// The content lies in frames that a push of the same name need not read.
			if _, e := a.Repair(t.Context(), object); e != nil {
				t.Fatalf("byte %d of %d (%q): neither push (%v) nor repair (%v) sees the change", off, len(sound), sound[off], err, e)
			}
		}
	}
	if newer > 4 { // one of the version, three of the codec
		t.Errorf("%d changed bytes pass for a newer version's, want at most 4", newer)
	}
}

// Of 16 at once with two contents exactly one content wins: those who brought
// it succeed, the others are told.
func TestPushAtOnce(t *testing.T) {
	for _, name := range []string{"000000010000000000000003", "00000002.history"} {
		t.Run(name, func(t *testing.T) {
			one, two := newHost(t, small), newHost(t, small)
			contents := twoContents(newHost(t, small))[name]
			paths := [2]string{one.put(name, contents[0]), two.put(name, contents[1])}
			b, ring := newBucket(t), newRing(t)
			initArchive(t, b, ring, one.dir, archive.Options{})
			errs := pushAtOnce(t, b, ring, [2]*archive.DataDir{one.dir, two.dir}, paths)
			won := 0
			if errs[0] != nil {
				won = 1
			}
			for i, err := range errs {
				if i%2 == won && err != nil {
					t.Errorf("a writer of the content that won: %v", err)
				}
				if i%2 != won {
					wantRefusal(t, err, archive.ErrConflict, crypt.DigestBytes(contents[won]).String())
				}
			}
			a, err := archive.Open(t.Context(), b, ring, archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			wantContent(t, a, one.dir, name, contents[won])
		})
	}
}

// pushAtOnce pushes both paths from 8 processes each, as far as they share
// nothing but the bucket and the keys.
func pushAtOnce(t *testing.T, b storage.Bucket, ring *keys.Ring, dirs [2]*archive.DataDir, paths [2]string) [16]error {
	var errs [16]error
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range errs {
		a, err := archive.Open(t.Context(), b, ring, archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			<-start
			_, errs[i] = a.Push(t.Context(), dirs[i%2], paths[i%2])
		})
	}
	close(start)
	all.Wait()
	return errs
}

// A put that stored its object and lost the answer is repeated, by the next
// layer or by PostgreSQL, and finds its own object.
func TestPushAfterALostAnswer(t *testing.T) {
	h := newHost(t, small)
	flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
	a := initArchive(t, flaky, newRing(t), h.dir, archive.Options{})
	flaky.Fail = func(op, name string, n int) error {
		if op == "put" && n == 1 {
			return storagetest.Lost()
		}
		return nil
	}
	path := h.full()
	if _, err := a.Push(t.Context(), h.dir, path); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("got error %v, want that the store does not answer", err)
	}
	if !mustPush(t, a, h.dir, path).Already {
		t.Error("the object that was stored is not found")
	}
}

// Whatever part of talking to the store fails, push says so and has claimed
// nothing; the next one succeeds.
func TestPushSurvivesAFailingStore(t *testing.T) {
	for _, op := range []string{"put", "get", "stat"} {
		t.Run(op, func(t *testing.T) {
			h := newHost(t, small)
			flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
			a := initArchive(t, flaky, newRing(t), h.dir, archive.Options{})
			path := h.full()
			if op != "put" { // the name is taken
				mustPush(t, a, h.dir, path)
			}
			flaky.Fail = func(o, name string, n int) error {
				if o == op {
					return storage.ErrUnavailable
				}
				return nil
			}
			_, err := a.Push(t.Context(), h.dir, path)
			if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrConflict) {
				t.Errorf("got error %v, want that the store is not available, and no more", err)
			}
			flaky.Fail = nil
			mustPush(t, a, h.dir, path)
		})
	}
}
