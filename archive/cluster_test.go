package archive_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// Init again, on any host, opens what is there and writes nothing.
func TestInitAgain(t *testing.T) {
	h := newHost(t, small)
	b, ring := &storagetest.Recorder{Bucket: storagetest.NewMemory()}, newRing(t)
	first := initArchive(t, b, ring, h.dir, archive.Options{})
	mustPush(t, first, h.dir, h.full())
	before := objects(t, b)
	again := initArchive(t, b, ring, newHost(t, small).dir, archive.Options{})
	if again.Anchor() != first.Anchor() {
		t.Errorf("got anchor %v, want %v", again.Anchor(), first.Anchor())
	}
	if after := objects(t, b); !slices.Equal(after, before) {
		t.Errorf("stored are %q, want %q", after, before)
	}
}

// The archive of another cluster is never taken for one's own.
func TestInitRefusesAnotherClustersArchive(t *testing.T) {
	h := newHost(t, small)
	b, ring := storagetest.NewMemory(), newRing(t)
	initArchive(t, b, ring, h.dir, archive.Options{})
	before := objects(t, b)
	for name, id := range map[string]wal.Identity{
		"system":       {SystemID: 9, Major: 17, SegmentSize: 1 << 20},
		"major":        {SystemID: small.SystemID, Major: 16, SegmentSize: 1 << 20},
		"segment size": {SystemID: small.SystemID, Major: 17, SegmentSize: 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := archive.Init(t.Context(), b, ring, principal, newHost(t, id).dir, false, archive.Options{})
			wantRefusal(t, err, archive.ErrForeign, "the archive holds system 7654321 (PostgreSQL 17, segments of 1 MiB)")
			if after := objects(t, b); !slices.Equal(after, before) {
				t.Errorf("stored are %q, want %q", after, before)
			}
		})
	}
}

// Init never starts anew where an archive has lost its key chain, and --next
// never where there is none.
func TestInitRefusesRuinsAndNothing(t *testing.T) {
	h := newHost(t, small)
	b, ring := storagetest.NewMemory(), newRing(t)
	_, err := archive.Init(t.Context(), b, ring, principal, h.dir, true, archive.Options{})
	wantRefusal(t, err, archive.ErrNoArchive, "no archive here")
	a := initArchive(t, b, ring, h.dir, archive.Options{})
	mustPush(t, a, h.dir, h.full())
	if err := b.Delete(t.Context(), "keys/00000001"); err != nil {
		t.Fatal(err)
	}
	before := objects(t, b)
	for _, next := range []bool{false, true} {
		_, err := archive.Init(t.Context(), b, ring, principal, h.dir, next, archive.Options{})
		wantRefusal(t, err, archive.ErrNoArchive, "are there, but no key chain")
	}
	if after := objects(t, b); !slices.Equal(after, before) {
		t.Errorf("stored are %q, want %q", after, before)
	}
}

// A configured anchor says that the archive exists. Where nothing is, the store
// is not mounted, and a second archive must not begin.
func TestInitWithAnAnchorMakesNothing(t *testing.T) {
	h, ring := newHost(t, small), newRing(t)
	anchor := initArchive(t, storagetest.NewMemory(), ring, h.dir, archive.Options{}).Anchor()
	empty := storagetest.NewMemory()
	_, err := archive.Init(t.Context(), empty, ring, principal, h.dir, false, archive.Options{Anchor: &anchor})
	wantRefusal(t, err, archive.ErrNoArchive, "keys.anchor names one")
	if stored := objects(t, empty); len(stored) != 0 {
		t.Errorf("stored are %q, want nothing", stored)
	}
}

// At whatever call the store fails, init can be repeated.
func TestInitGoesOnAfterAnyFailure(t *testing.T) {
	for call := 1; ; call++ {
		for _, fault := range []error{storage.ErrUnavailable, storagetest.Lost()} {
			h := newHost(t, small)
			flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
			ring, calls := newRing(t), 0
			flaky.Fail = func(op, name string, n int) error {
				if calls++; calls == call {
					return fault
				}
				return nil
			}
			_, err := archive.Init(t.Context(), flaky, ring, principal, h.dir, false, archive.Options{})
			flaky.Fail = nil
			if err == nil {
				if call < 6 {
					t.Fatalf("only %d calls to the store", call-1)
				}
				return
			}
			a := initArchive(t, flaky, ring, h.dir, archive.Options{})
			mustPush(t, a, h.dir, h.full())
			got := slices.DeleteFunc(objects(t, flaky), isProbe)
			if !slices.Contains(got, "cluster.json") || !slices.Contains(got, "keys/00000001") || len(got) != 3 {
				t.Errorf("call %d: stored are %q", call, got)
			}
		}
	}
}

// Of two inits at once one makes the archive and both open it, at whatever
// moment the second comes.
func TestInitAtOnce(t *testing.T) {
	for call := 1; ; call++ {
		h := newHost(t, small)
		b, ring, calls := storagetest.NewMemory(), newRing(t), 0
		var other *archive.Archive
		flaky := &storagetest.Flaky{Bucket: b, Fail: func(op, name string, n int) error {
			if calls++; calls == call {
				other = initArchive(t, b, ring, h.dir, archive.Options{})
			}
			return nil
		}}
		a := initArchive(t, flaky, ring, h.dir, archive.Options{})
		if other == nil {
			if call < 6 {
				t.Fatalf("only %d calls to the store", call-1)
			}
			return
		}
		if a.Anchor() != other.Anchor() {
			t.Errorf("call %d: two archives, %v and %v", call, a.Anchor(), other.Anchor())
		}
	}
}

// With --next the archive goes on with another cluster: names never collide,
// and the old server is shut out.
func TestIncarnations(t *testing.T) {
	b, ring := storagetest.NewMemory(), newRing(t)
	old := newHost(t, small)
	a := initArchive(t, b, ring, old.dir, archive.Options{})
	first := mustPush(t, a, old.dir, old.full())
	grown := small
	grown.Major = 18
	fresh := newHost(t, grown)
	for range 2 { // the second finds nothing to do
		var err error
		if a, err = archive.Init(t.Context(), b, ring, principal, fresh.dir, true, archive.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	want := []archive.Incarnation{{Number: 1, Identity: small}, {Number: 2, Identity: grown}}
	if got := a.Incarnations(); !slices.Equal(got, want) {
		t.Errorf("got incarnations %v, want %v", got, want)
	}
	second := mustPush(t, a, fresh.dir, fresh.full())
	if second.Already || strings.TrimPrefix(second.Object, "wal/00000002/") != strings.TrimPrefix(first.Object, "wal/00000001/") {
		t.Errorf("the same file name of two incarnations: stored as %s and %s", first.Object, second.Object)
	}
	_, err := a.Push(t.Context(), old.dir, old.full())
	wantRefusal(t, err, archive.ErrForeign, "is closed since the archive went on with")
	wantContent(t, a, old.dir, "000000010000000000000003", old.Segment(3))
	wantContent(t, a, fresh.dir, "000000010000000000000003", fresh.Segment(3))
	_, err = a.Push(t.Context(), fresh.dir, fresh.put("000000010000000000000009", old.Segment(3)))
	wantRefusal(t, err, archive.ErrForeign, "PostgreSQL 17")
	if _, err := archive.Init(t.Context(), b, ring, principal, old.dir, false, archive.Options{}); !errors.Is(err, archive.ErrForeign) {
		t.Errorf("init on the old server: got error %v, want %v", err, archive.ErrForeign)
	}
}

// A segment of the closed incarnation cannot come in through a writer that has
// not heard of the next one: it is told as soon as it reads the chain.
func TestIncarnationOpenedByAnother(t *testing.T) {
	b, ring := storagetest.NewMemory(), newRing(t)
	h := newHost(t, small)
	a := initArchive(t, b, ring, h.dir, archive.Options{})
	next := small
	next.SystemID++
	if _, err := archive.Init(t.Context(), b, ring, principal, newHost(t, next).dir, true, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := a.Push(t.Context(), h.dir, h.full())
	wantRefusal(t, err, archive.ErrForeign, "is closed")
}

// Rotations and pushes at once, in several processes: every entry counts, and
// every object opens afterwards.
func TestRotateWhilePushing(t *testing.T) {
	names := []string{"g1", "g2", "g3", "g4", "g5"}
	ring := keys.NewRing(generations(t, names...))
	h, b := newHost(t, small), newBucket(t)
	a, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for range 8 {
		paths = append(paths, h.switched())
	}
	var all sync.WaitGroup
	for _, name := range names[1:] {
		all.Go(func() {
			mine, err := archive.Open(t.Context(), b, ring, archive.Options{})
			if err == nil {
				err = mine.RotatePrincipal(t.Context(), generation(name))
			}
			if err != nil {
				t.Errorf("rotate to %s: %v", name, err)
			}
		})
	}
	for _, path := range paths {
		all.Go(func() {
			if err := a.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := a.Push(t.Context(), h.dir, path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	a, err = archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(a.Epochs()); n != len(names) {
		t.Errorf("%d epochs, want %d", n, len(names))
	}
	for _, path := range paths {
		if !mustPush(t, a, h.dir, path).Already {
			t.Errorf("%s is not there", path)
		}
	}
}
