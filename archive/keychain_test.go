package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt/seal"
	"walarchive/keys"
	"walarchive/keys/escrow"
	"walarchive/storage/storagetest"
)

// recipient is one whose identity nobody has.
const recipient = escrow.Recipient("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")

// changes are what can be done to a key chain, from generation g1 on.
var changes = map[string]func(t *testing.T, a *archive.Archive) error{
	"rotate": func(t *testing.T, a *archive.Archive) error {
		return a.RotatePrincipal(t.Context(), generation("g2"))
	},
	"rewrap": func(t *testing.T, a *archive.Archive) error {
		return a.Rewrap(t.Context(), generation("g1"), generation("g2"))
	},
	"put into escrow": func(t *testing.T, a *archive.Archive) error {
		return a.AddEscrow(t.Context(), recipient)
	},
	"end an escrow": func(t *testing.T, a *archive.Archive) error {
		err := a.AddEscrow(t.Context(), recipient)
		if err == nil {
			err = a.RemoveEscrow(t.Context(), recipient)
		}
		return err
	},
	"recover": func(t *testing.T, a *archive.Archive) error {
		return a.Recover(t.Context(), generation("g2"))
	},
	"rotate, retire": func(t *testing.T, a *archive.Archive) error {
		err := a.RotatePrincipal(t.Context(), generation("g2"))
		if err == nil {
			err = a.Retire(t.Context(), generation("g1"))
		}
		return err
	},
}

// A change that dies with its process, or whose answer is lost, at any call of
// the store leaves an archive that works, with the old key as far as it was
// not replaced; done again, it is done.
func TestChangesBreakOffAnywhere(t *testing.T) {
	for name, change := range changes {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, answer lost %t", name, lost), func(t *testing.T) {
				calls := 1
				for !breaksOff(t, change, calls, lost) {
					calls++
				}
				if calls < 4 {
					t.Errorf("broke off at %d calls only", calls)
				}
			})
		}
	}
}

// breaksOff breaks a change off at one call, by losing its answer or by failing
// it and all behind it, and reports whether it came to its end before.
func breaksOff(t *testing.T, change func(*testing.T, *archive.Archive) error, at int, lost bool) bool {
	t.Helper()
	h, b, ring := newHost(t, small), storagetest.NewMemory(), keys.NewRing(generations(t, "g1", "g2"))
	if _, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	a, err := archive.Open(t.Context(), &storagetest.Flaky{Bucket: b, Fail: func(string, string, int) error {
		switch n++; {
		case lost && n == at:
			return storagetest.Lost()
		case !lost && n >= at:
			return errors.New("pulled the plug")
		}
		return nil
	}}, ring, archive.Options{})
	if err == nil {
		err = change(t, a)
	}
	if n < at && err != nil {
		t.Fatal(err)
	}
	if a, err = archive.Open(t.Context(), b, ring, archive.Options{}); err != nil {
		t.Fatalf("broken off at call %d: %v", at, err)
	}
	path := h.full()
	mustPush(t, a, h.dir, path)
	if err := change(t, a); err != nil {
		t.Fatalf("broken off at call %d, done again: %v", at, err)
	}
	wantContent(t, a, h.dir, filepath.Base(path), h.Segment(3))
	if n := len(a.Chain()); n > 5 {
		t.Errorf("broken off at call %d: %d entries in the end", at, n)
	}
	return n < at
}

// Pushes go on while the archive goes over from key to key, in the same process
// and in another; whatever epoch they seal under, all of it can be read.
func TestRotationWhilePushesRun(t *testing.T) {
	h, b := newHost(t, small), storagetest.NewMemory()
	names := []string{"g1", "g2", "g3", "g4", "g5"}
	ring := keys.NewRing(generations(t, names...))
	a, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for range 24 {
		paths = append(paths, h.full())
	}
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for i := worker; i < len(paths); i += 3 {
				pusher := []*archive.Archive{a, other}[i%2]
				if _, err := pusher.Push(t.Context(), h.dir, paths[i]); err != nil {
					t.Errorf("push %s: %v", filepath.Base(paths[i]), err)
				}
			}
		})
	}
	for i, name := range names[1:] {
		rotate(t, []*archive.Archive{other, a}[i%2], name)
	}
	wg.Wait()
	reader, err := archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := reader.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelFull})
	if err != nil || len(report.Problems)+len(report.Unchecked) > 0 || report.Objects != len(paths) {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

// An object that was sealed late, under an epoch that is closed by now, is valid:
// its writer had not read on in the chain yet. After Refresh it seals under the
// new one.
func TestSealedLateUnderTheOldEpoch(t *testing.T) {
	h, b := newHost(t, small), storagetest.NewMemory()
	ring := keys.NewRing(generations(t, "g1", "g2"))
	writer, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, other, "g2")
	late, next := h.full(), h.full()
	sealedBy := func(path string) string {
		t.Helper()
		object := mustPush(t, writer, h.dir, path).Object
		if !mustPush(t, other, h.dir, path).Already {
			t.Errorf("%s is not the same to who knows the new epoch", object)
		}
		return headerKeys(t, sealed(t, b, object))
	}
	if got := sealedBy(late); got != "g1/wal" {
		t.Errorf("sealed late under %s, want the old key", got)
	}
	if err := writer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sealedBy(next); got != "g2/wal" {
		t.Errorf("after Refresh sealed under %s, want the new key", got)
	}
	report, err := other.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelFull})
	if err != nil || len(report.Problems)+len(report.Unchecked) > 0 {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

// A key that is retired stands in no header any more.
func TestRetiredKeysStandInNoHeader(t *testing.T) {
	h, b := newHost(t, small), storagetest.NewMemory()
	a, err := archive.Init(t.Context(), b, keys.NewRing(generations(t, "g1", "g2", "g3")), generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, a.Retire(t.Context(), generation("g1")), keys.ErrInUse, "g1/wal")
	rotate(t, a, "g2")
	if err := a.Rewrap(t.Context(), generation("g2"), generation("g3")); err != nil {
		t.Fatal(err)
	}
	if err := a.Retire(t.Context(), generation("g1")); err != nil {
		t.Fatal(err)
	}
	if got := headerKeys(t, sealed(t, b, mustPush(t, a, h.dir, h.full()).Object)); got != "g3/wal g2/wal" {
		t.Errorf("the header names %s", got)
	}
	if err := a.RotatePrincipal(t.Context(), generation("g1")); !errors.Is(err, keys.ErrRetired) {
		t.Errorf("rotation to a retired key: %v", err)
	}
	// Wrapped by g3 already, but not opened under it.
	rotate(t, a, "g3")
	if n := len(a.Epochs()); n != 3 {
		t.Errorf("%d epochs, want 3", n)
	}
}

// headerKeys are the principal keys that an object's header names.
func headerKeys(t *testing.T, object []byte) string {
	t.Helper()
	h, err := seal.ReadHeader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, w := range h.Wraps {
		refs = append(refs, w.Provider+"/"+w.Key)
	}
	return strings.Join(refs, " ")
}

// With nothing but the bucket, the anchor and the identity, what was archived
// comes back; what a stranger put in its place does not.
func TestEscrowIdentityAndAnchorOpenTheArchive(t *testing.T) {
	h, b := newHost(t, small), storagetest.NewMemory()
	identity := newIdentity(t)
	ring := keys.NewRing(generations(t, "g1", "g2"))
	a, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{h.full()}
	mustPush(t, a, h.dir, paths[0])
	if err := a.AddEscrow(t.Context(), identity.Recipient()); err != nil {
		t.Fatal(err)
	}
	rotate(t, a, "g2")
	paths = append(paths, h.full())
	object := mustPush(t, a, h.dir, paths[1]).Object
	if got := headerKeys(t, sealed(t, b, object)); got != "g2/wal escrow/"+string(identity.Recipient()) {
		t.Errorf("the header names %s", got)
	}
	anchor := a.Anchor()
	safe := keys.NewRing(nil).WithIdentities([]escrow.Identity{identity})
	opened, err := archive.Open(t.Context(), b, safe, archive.Options{Anchor: &anchor})
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		wantContent(t, opened, h.dir, filepath.Base(path), h.Segment(wal.SegmentNo(3+i)))
	}
	_, err = archive.Open(t.Context(), b, safe, archive.Options{})
	wantRefusal(t, err, keys.ErrUnanchored, "only an escrow identity opens")

	stranger := storagetest.NewMemory()
	if a, err = archive.Init(t.Context(), stranger, keys.NewRing(generations(t, "g1")), generation("g1"), h.dir, false, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := a.AddEscrow(t.Context(), identity.Recipient()); err != nil {
		t.Fatal(err)
	}
	_, err = archive.Open(t.Context(), stranger, safe, archive.Options{Anchor: &anchor})
	wantRefusal(t, err, keys.ErrChain, "this is another archive")

	// Handed over, it needs the identity no more.
	if err := opened.Recover(t.Context(), generation("g3")); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("to a key that is not there: %v, want ErrNoKey", err)
	}
	fresh := generations(t, "g3")
	if opened, err = archive.Open(t.Context(), b, keys.NewRing(fresh).WithIdentities([]escrow.Identity{identity}), archive.Options{Anchor: &anchor}); err != nil {
		t.Fatal(err)
	}
	if err := opened.Recover(t.Context(), generation("g3")); err != nil {
		t.Fatal(err)
	}
	if opened, err = archive.Open(t.Context(), b, keys.NewRing(fresh), archive.Options{}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, opened, h.dir, filepath.Base(paths[0]), h.Segment(3))
	mustPush(t, opened, h.dir, h.full())
}

// newIdentity is an identity that no host has.
func newIdentity(t *testing.T) escrow.Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := escrow.ParseIdentities([]byte(id.String()))
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}
