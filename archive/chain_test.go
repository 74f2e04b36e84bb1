package archive_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// rotated is an archive under two generations of keys, with a segment of each.
func rotated(t *testing.T) (h *host, b *storagetest.Memory, providers map[string]keys.Provider, paths []string) {
	t.Helper()
	h, b, providers = newHost(t, small), storagetest.NewMemory(), generations(t, "g1", "g2")
	a, err := archive.Init(t.Context(), b, keys.NewRing(providers), generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	paths = append(paths, h.full())
	mustPush(t, a, h.dir, paths[0])
	rotate(t, a, "g2")
	paths = append(paths, h.switched())
	mustPush(t, a, h.dir, paths[1])
	return h, b, providers, paths
}

// After a rotation the new principal key opens the objects of both epochs; the
// old one may go.
func TestRotationKeepsOldObjects(t *testing.T) {
	h, b, providers, paths := rotated(t)
	delete(providers, "g1")
	a, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if !mustPush(t, a, h.dir, path).Already {
			t.Errorf("%s is not there", path)
		}
	}
	wantContent(t, a, h.dir, "000000010000000000000003", h.Segment(3))
	wantContent(t, a, h.dir, "000000010000000000000004", h.Segment(4))
	if err := a.RotatePrincipal(t.Context(), generation("g2")); err != nil || len(a.Chain()) != 2 {
		t.Errorf("rotation to the key in use: %v, %d entries, want none more than 2", err, len(a.Chain()))
	}
}

// A process that read the chain before others went on with it reads on when it
// meets an object of theirs.
func TestPushReadsOnInTheChain(t *testing.T) {
	h, b := newHost(t, small), storagetest.NewMemory()
	ring := keys.NewRing(generations(t, "g1", "g2"))
	a, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, other, "g2")
	path := h.full()
	mustPush(t, other, h.dir, path)
	if !mustPush(t, a, h.dir, path).Already {
		t.Error("the object of the new epoch is not seen")
	}
	next := small
	next.Major = 18 // an entry without an epoch
	fresh := newHost(t, next)
	if other, err = archive.Init(t.Context(), b, ring, generation("g2"), fresh.dir, true, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	object := mustPush(t, other, fresh.dir, fresh.full()).Object
	if _, _, err := a.Unseal(t.Context(), archive.KindSegment, object); err != nil {
		t.Error(err)
	}
	if n := len(a.Chain()); n != 3 {
		t.Errorf("%d entries were read, want 3", n)
	}
}

// A rotation ends when its entry is stored: another to a different key behind it
// is no reason to rotate once more.
func TestRotationIsOneEntry(t *testing.T) {
	h, b := newHost(t, small), storagetest.NewMemory()
	ring := keys.NewRing(generations(t, "g1", "g2", "g3"))
	if _, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	other, err := archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stored := false
	a, err := archive.Open(t.Context(), &storagetest.Flaky{Bucket: b, Fail: func(op, name string, n int) error {
		if op == "list" && stored {
			stored = false
			rotate(t, other, "g3")
		}
		stored = stored || op == "put" && strings.HasPrefix(name, "keys/")
		return nil
	}}, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, a, "g2")
	if n := len(a.Chain()); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

// Without the open epoch's principal key the archive does not open.
func TestOpenNeedsTheOpenEpochsKey(t *testing.T) {
	_, b, providers, _ := rotated(t)
	delete(providers, "g2")
	_, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
	if !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("got error %v, want %v", err, keys.ErrNoKey)
	}
}

// Whoever takes the newest entries away, or puts others in their place, is
// found out by the objects written since.
func TestPushNoticesAChainThatWasRolledBack(t *testing.T) {
	for name, roll := range map[string]func(t *testing.T, b *storagetest.Memory, providers map[string]keys.Provider){
		"newest entry gone": func(t *testing.T, b *storagetest.Memory, _ map[string]keys.Provider) {
			if err := b.Delete(t.Context(), "keys/00000002"); err != nil {
				t.Fatal(err)
			}
		},
		"newest entry replaced by another rotation": func(t *testing.T, b *storagetest.Memory, providers map[string]keys.Provider) {
			if err := b.Delete(t.Context(), "keys/00000002"); err != nil {
				t.Fatal(err)
			}
			a, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			rotate(t, a, "g2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, b, providers, paths := rotated(t)
			roll(t, b, providers)
			a, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Push(t.Context(), h.dir, paths[1])
			if !errors.Is(err, archive.ErrRolledBack) && !errors.Is(err, keys.ErrUnknownEpoch) {
				t.Errorf("got error %v, want that the chain lost entries", err)
			}
			if errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrConflict) {
				t.Errorf("the object is blamed: %v", err)
			}
			if _, err := a.Repair(t.Context(), "000000010000000000000004"); err == nil {
				t.Error("repair moved a sound object")
			}
		})
	}
}

// An entry that does not open an epoch leaves epochs as they are: only the
// number and digest in an object's facts tell that it is gone.
func TestPushNoticesALostIncarnation(t *testing.T) {
	h, b, ring := newHost(t, small), storagetest.NewMemory(), newRing(t)
	initArchive(t, b, ring, h.dir, archive.Options{})
	next := small
	next.Major = 18
	fresh := newHost(t, next)
	a, err := archive.Init(t.Context(), b, ring, principal, fresh.dir, true, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	object := mustPush(t, a, fresh.dir, fresh.full()).Object
	if err := b.Delete(t.Context(), "keys/00000002"); err != nil {
		t.Fatal(err)
	}
	if a, err = archive.Open(t.Context(), b, ring, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, a.Complete(t.Context(), archive.KindSegment, object), archive.ErrRolledBack, "entry 2, which an object names, is not there as it was")
	// Nor is it the same entry if the same is written once more.
	if a, err = archive.Init(t.Context(), b, ring, principal, fresh.dir, true, archive.Options{Host: "db2"}); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, a.Complete(t.Context(), archive.KindSegment, object), archive.ErrRolledBack, "entry 2, which an object names, is not there as it was")
}

// A lost entry is reported, but what is authentic is delivered all the same:
// recoveries come first.
func TestGetDeliversWhatOutlivedTheChain(t *testing.T) {
	h, b, ring := newHost(t, small), storagetest.NewMemory(), newRing(t)
	a := initArchive(t, b, ring, h.dir, archive.Options{})
	if err := a.AppendNothing(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := h.full()
	mustPush(t, a, h.dir, path)
	if err := b.Delete(t.Context(), "keys/00000002"); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Get(t.Context(), h.dir, filepath.Base(path), "pg_wal/RECOVERYXLOG", archive.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], archive.ErrRolledBack.Error()) {
		t.Errorf("warnings %q, want one of the lost entry", got.Warnings)
	}
	if _, err := a.Push(t.Context(), h.dir, path); !errors.Is(err, archive.ErrRolledBack) {
		t.Errorf("push: %v, want ErrRolledBack", err)
	}
	report, err := a.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelFacts})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) != 1 || report.Problems[0].Kind != archive.ProblemKeys {
		t.Errorf("verify reports %v, want one problem with the keys", report.Problems)
	}
}

// Entries that nobody with the keys wrote are not believed.
func TestOpenRefusesForgedChains(t *testing.T) {
	for name, forge := range map[string]func(t *testing.T, b *storagetest.Memory){
		"bit in entry 1": func(t *testing.T, b *storagetest.Memory) {
			overwrite(t, b, "keys/00000001", flip(sealed(t, b, "keys/00000001"), 40))
		},
		"bit in entry 2": func(t *testing.T, b *storagetest.Memory) {
			overwrite(t, b, "keys/00000002", flip(sealed(t, b, "keys/00000002"), 90))
		},
		"entry 2 twice": func(t *testing.T, b *storagetest.Memory) {
			overwrite(t, b, "keys/00000003", sealed(t, b, "keys/00000002"))
		},
		"entry 1 missing": func(t *testing.T, b *storagetest.Memory) { _ = b.Delete(context.Background(), "keys/00000001") },
		"an entry left out": func(t *testing.T, b *storagetest.Memory) {
			overwrite(t, b, "keys/00000004", sealed(t, b, "keys/00000002"))
		},
		"an object of no number": func(t *testing.T, b *storagetest.Memory) { overwrite(t, b, "keys/x", []byte("x")) },
		"another archive's": func(t *testing.T, b *storagetest.Memory) {
			_, other, _, _ := rotated(t)
			overwrite(t, b, "keys/00000002", sealed(t, other, "keys/00000002"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, b, providers, _ := rotated(t)
			forge(t, b)
			_, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
			if !errors.Is(err, keys.ErrChain) {
				t.Errorf("got error %v, want %v", err, keys.ErrChain)
			}
		})
	}
}

// An archive invented in place of one's own is told by the anchor.
func TestOpenHoldsAgainstTheAnchor(t *testing.T) {
	_, b, providers, _ := rotated(t)
	a, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	anchor := a.Anchor()
	if _, err := archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{Anchor: &anchor}); err != nil {
		t.Errorf("its own anchor: %v", err)
	}
	anchor.Epoch = crypt.ID{1}
	_, err = archive.Open(t.Context(), b, keys.NewRing(providers), archive.Options{Anchor: &anchor})
	wantRefusal(t, err, keys.ErrChain, "this is another archive")
}

// A record in the chain that this version does not know is not passed over.
func TestOpenRefusesRecordsOfANewerVersion(t *testing.T) {
	for name, data := range map[string]string{
		"new record":  `{"floor":{"timeline":1}}`,
		"new member":  `{"incarnation":{"number":2,"system_id":"7654321","major":18,"segment_size":1048576,"page_size":8192}}`,
		"other case":  `{"Incarnation":{"number":2,"system_id":"7654321","major":18,"segment_size":1048576}}`,
		"twice":       `{"incarnation":null,"incarnation":{"number":2,"system_id":"7","major":18,"segment_size":1048576}}`,
		"white space": `{ "incarnation":{"number":2,"system_id":"7","major":18,"segment_size":1048576}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := archive.ReadRecord([]byte(data))
			wantRefusal(t, err, archive.ErrNewer, "newer version")
		})
	}
}

// liar is a bucket that lists nothing, or not the last object.
type liar struct {
	*storagetest.Memory
	all bool // it hides everything
}

func (l liar) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		var kept *storage.Info
		for info, err := range l.Memory.List(ctx, prefix, after) {
			if err != nil || kept != nil && !l.all && !yield(*kept, nil) {
				return
			}
			kept = &info
		}
	}
}

// A store whose listings leave objects out cannot make an archive anew over the
// one that is there, nor hide for long that the chain went on.
func TestListingsThatLie(t *testing.T) {
	h, b, providers, paths := rotated(t)
	ring := keys.NewRing(providers)
	before := sealed(t, b, "keys/00000001")
	if _, err := archive.Init(t.Context(), liar{b, true}, ring, generation("g2"), h.dir, false, archive.Options{}); err == nil {
		t.Error("init succeeded on a store that lists nothing")
	}
	if got := sealed(t, b, "keys/00000001"); !bytes.Equal(got, before) {
		t.Error("the first entry was replaced")
	}
	a, err := archive.Open(t.Context(), liar{b, false}, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Push(t.Context(), h.dir, paths[1])
	if !errors.Is(err, keys.ErrUnknownEpoch) && !errors.Is(err, archive.ErrRolledBack) {
		t.Errorf("got error %v, want that the chain is too short", err)
	}
	if err := a.RotatePrincipal(t.Context(), generation("g2")); err == nil || !strings.Contains(err.Error(), "kept changing") {
		t.Errorf("rotate: got error %v, want that the number is taken", err)
	}
}
