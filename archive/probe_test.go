package archive_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// overwriting is a store that ignores the condition of a Put; told how, it
// says that it kept it.
type overwriting struct {
	storage.Bucket
	lies bool
}

func (o overwriting) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	_, err := o.Stat(ctx, name)
	if err := o.Delete(ctx, name); err != nil {
		return err
	}
	if err := o.Bucket.Put(ctx, name, body); err != nil || !o.lies {
		return err
	}
	if err == nil {
		return storage.ErrExist
	}
	return nil
}

// failing is a store in which one operation fails.
func failing(op string, err error) storage.Bucket {
	return &storagetest.Flaky{Bucket: storagetest.NewMemory(), Fail: func(o, _ string, _ int) error {
		if o == op {
			return err
		}
		return nil
	}}
}

func TestProbe(t *testing.T) {
	tests := []struct {
		name string
		b    storage.Bucket
		step archive.ProbeStep // that fails; none if empty
		want error
		left int // objects
	}{
		{"sound", storagetest.NewMemory(), "", nil, 0},
		{"gone", failing("put", storage.ErrUnavailable), archive.ProbeWrite, storage.ErrUnavailable, 0},
		{"no right to read", failing("get", storage.ErrPermission), archive.ProbeRead, storage.ErrPermission, 0},
		{"overwrites", overwriting{storagetest.NewMemory(), false}, archive.ProbeCondition, archive.ErrOverwrites, 0},
		{"overwrites and says it did not", overwriting{storagetest.NewMemory(), true}, archive.ProbeCondition, archive.ErrOverwrites, 0},
		{"no right to list", failing("list", storage.ErrPermission), archive.ProbeList, storage.ErrPermission, 0},
		{"no right to delete", failing("delete", storage.ErrPermission), archive.ProbeDelete, storage.ErrPermission, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := archive.NewProbe(tt.b, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			failed := first(p.Run(t.Context()))
			if failed.Step != tt.step || !errors.Is(failed.Err, tt.want) {
				t.Errorf("%q failed with %v, want %q with %v", failed.Step, failed.Err, tt.step, tt.want)
			}
			if tt.step != archive.ProbeList && len(objects(t, tt.b)) != tt.left {
				t.Errorf("left behind: %v", objects(t, tt.b))
			}
		})
	}
}

// first is the first step that failed.
func first(done []archive.Probed) archive.Probed {
	for _, p := range done {
		if p.Err != nil {
			return p
		}
	}
	return archive.Probed{}
}

// A probe that could not be deleted is no archive, and none in the way of one.
func TestProbeLeftBehind(t *testing.T) {
	h := newHost(t, small)
	b, ring := storagetest.NewMemory(), newRing(t)
	if err := b.Put(t.Context(), "probe/00", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Open(t.Context(), b, ring, archive.Options{}); !errors.Is(err, archive.ErrNoArchive) || err.Error() != archive.ErrNoArchive.Error() {
		t.Errorf("open: %v, want %v alone", err, archive.ErrNoArchive)
	}
	initArchive(t, b, ring, h.dir, archive.Options{})
}

func TestAcceptsAndHolds(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	other := small
	other.SystemID++
	if err := a.Accepts(h.dir); err != nil {
		t.Errorf("its own server: %v", err)
	}
	if err := a.Accepts(newHost(t, other).dir); !errors.Is(err, archive.ErrForeign) {
		t.Errorf("another server: %v, want %v", err, archive.ErrForeign)
	}
	path := h.full()
	for _, want := range []bool{false, true} {
		if got, err := a.Holds(t.Context(), h.dir, path); got != want || err != nil {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		mustPush(t, a, h.dir, path)
	}
}
