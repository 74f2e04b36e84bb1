package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// damagedArchive is an archive whose one segment, of the path in pg_wal, is
// damaged, and the name of its object.
func damagedArchive(t *testing.T, b storage.Bucket, ring *keys.Ring, h *host) (a *archive.Archive, path, object string) {
	t.Helper()
	a = initArchive(t, b, ring, h.dir, archive.Options{})
	path = h.full()
	object = mustPush(t, a, h.dir, path).Object
	p := sealed(t, b, object)
	overwrite(t, b, object, flip(p, len(p)/2))
	return a, path, object
}

// Repair moves the bytes as they are and records it; the name is free then.
func TestRepairMovesADamagedObject(t *testing.T) {
	h := newHost(t, small)
	b := storagetest.NewMemory()
	a, path, object := damagedArchive(t, b, newRing(t), h)
	broken := sealed(t, b, object)
	for _, name := range []string{"000000010000000000000003", object} { // by the file's name, by the object's
		done, err := a.Repair(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := sealed(t, b, done.Moved[0].Object); !bytes.Equal(got, broken) {
			t.Errorf("%s has not the bytes of the damaged object", done.Moved[0].Object)
		}
		if mustPush(t, a, h.dir, path).Already {
			t.Error("the name was not free")
		}
		wantContent(t, a, h.dir, "000000010000000000000003", h.Segment(3))
		overwrite(t, b, object, broken)
	}
	wantObjects(t, b,
		"damaged/"+object+".1", "damaged/"+object+".1.record",
		"damaged/"+object+".2", "damaged/"+object+".2.record", object)
}

// Nothing but a damaged object is ever moved.
func TestRepairRefuses(t *testing.T) {
	h := newHost(t, small)
	b := storagetest.NewMemory()
	flaky := &storagetest.Flaky{Bucket: b}
	a := initArchive(t, flaky, newRing(t), h.dir, archive.Options{})
	object := mustPush(t, a, h.dir, h.full()).Object
	for _, c := range []struct {
		name, object string
		get          error // of the store
		want         string
	}{
		{"sound", object, nil, "is sound: every byte authenticates"},
		{"sound, by its file's name", "000000010000000000000003", nil, "is sound"},
		{"missing", "000000010000000000000004", nil, "not exist"},
		{"key chain", "keys/00000001", nil, "is no WAL object of this archive"},
		{"hint", "cluster.json", nil, "not the name of a WAL file"},
		{"no name", "", nil, "not the name of a WAL file"},
		{"another incarnation", strings.Replace(object, "wal/00000001", "wal/00000002", 1), nil, "is no WAL object"},
		{"out of reach", object, storage.ErrUnavailable, "not available"},
		{"cut by the network", object, storagetest.Cut(1000), "not available"},
	} {
		t.Run(c.name, func(t *testing.T) {
			flaky.Fail = func(op, name string, n int) error {
				if op == "get" {
					return c.get
				}
				return nil
			}
			_, err := a.Repair(t.Context(), c.object)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
			wantObjects(t, b, object)
		})
	}
}

// At whatever call the store fails, the damaged bytes are somewhere, and doing
// it again succeeds.
func TestRepairGoesOnAfterAnyFailure(t *testing.T) {
	for call := 1; ; call++ {
		h := newHost(t, small)
		flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
		a, path, object := damagedArchive(t, flaky, newRing(t), h)
		broken := sealed(t, flaky, object)
		calls := 0
		flaky.Fail = func(op, name string, n int) error {
			if calls++; calls == call {
				return storage.ErrUnavailable
			}
			return nil
		}
		_, err := a.Repair(t.Context(), object)
		flaky.Fail = nil
		if err == nil {
			if call < 5 {
				t.Fatalf("only %d calls to the store", call-1)
			}
			return
		}
		t.Run(fmt.Sprintf("call %d", call), func(t *testing.T) {
			if _, err := a.Repair(t.Context(), object); err != nil {
				t.Fatalf("again: %v", err)
			}
			if got := sealed(t, flaky, "damaged/"+object+".1"); !bytes.Equal(got, broken) {
				t.Error("the damaged bytes are lost")
			}
			mustPush(t, a, h.dir, path)
			wantContent(t, a, h.dir, "000000010000000000000003", h.Segment(3))
		})
	}
}

// A repair that was slow must not delete what another one and a push have put
// there in the meantime.
func TestRepairSparesASoundObject(t *testing.T) {
	h := newHost(t, small)
	b, ring := storagetest.NewMemory(), newRing(t)
	quick, path, object := damagedArchive(t, b, ring, h)
	slow, err := archive.Open(t.Context(), hooked{b, func(name string) {
		if strings.HasSuffix(name, ".record") {
			if _, err := quick.Repair(t.Context(), object); err != nil {
				t.Error(err)
			}
			mustPush(t, quick, h.dir, path)
		}
	}}, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Repair(t.Context(), object); err == nil || !strings.Contains(err.Error(), "is sound") {
		t.Errorf("got error %v, want that the object is sound", err)
	}
	wantContent(t, quick, h.dir, "000000010000000000000003", h.Segment(3))
}

// Without the right to delete, the object stays, and the hint says why.
func TestRepairNeedsTheRightToDelete(t *testing.T) {
	h := newHost(t, small)
	flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
	a, _, object := damagedArchive(t, flaky, newRing(t), h)
	flaky.Fail = func(op, name string, n int) error {
		if op == "delete" {
			return storage.ErrPermission
		}
		return nil
	}
	_, err := a.Repair(t.Context(), object)
	wantRefusal(t, err, storage.ErrPermission, "but stays")
	var hint interface{ Hint() string }
	if errors.As(err, &hint); !strings.Contains(hint.Hint(), "a credential that may delete") {
		t.Errorf("got hint %q", hint.Hint())
	}
}
