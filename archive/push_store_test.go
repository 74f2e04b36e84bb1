package archive_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/storage"
	"walarchive/storage/file"
	"walarchive/storage/storagetest"
)

// A push that meets no trouble costs one request, also behind a promotion.
func TestPushCostsOneRequest(t *testing.T) {
	h := newHost(t, small)
	b := &storagetest.Recorder{Bucket: storagetest.NewMemory()}
	a := initArchive(t, b, newRing(t), h.dir, archive.Options{})
	full, at := h.switched(), h.LSN()
	h.Promote(2, 0)
	h.putHistory(2, at)
	for _, path := range []string{full, h.switched(), h.path("00000002.history")} {
		b.Reset()
		done := mustPush(t, a, h.dir, path)
		want := []storagetest.Call{{Op: "put", Name: done.Object}}
		if got := b.Calls(); !slices.Equal(got, want) {
			t.Errorf("%s: got requests %v, want %v", filepath.Base(path), got, want)
		}
	}
}

// A push ends with its context, whatever the store does, and has stored
// nothing.
func TestPushEndsWithItsContext(t *testing.T) {
	h := newHost(t, small)
	ring, path := newRing(t), h.full()
	for name, o := range map[string]archive.Options{"at once": {}, "in pieces": archive.Options{}.ReadTwice()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
				a := initArchive(t, flaky, ring, h.dir, o)
				flaky.Fail = func(op, name string, n int) error { return storagetest.Block() }
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := a.Push(ctx, h.dir, path); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
				}
				flaky.Fail = nil
				if _, err := a.Push(ctx, h.dir, path); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after the end: got error %v, want %v", err, context.DeadlineExceeded)
				}
				wantObjects(t, flaky)
			})
		})
	}
}

// What a store says of itself reaches the operator.
func TestPushTellsWhatIsWrongWithTheStore(t *testing.T) {
	h := newHost(t, small)
	root := filepath.Join(t.TempDir(), "store")
	mkdir(t, root)
	b, err := file.New(root)
	if err != nil {
		t.Fatal(err)
	}
	a := initArchive(t, b, newRing(t), h.dir, archive.Options{})
	path := h.full()
	if err := os.Rename(root, root+".away"); err != nil {
		t.Fatal(err)
	}
	_, err = a.Push(t.Context(), h.dir, path)
	wantRefusal(t, err, storage.ErrUnavailable, "store")
	mkdir(t, root) // what an unmounted share leaves
	_, err = a.Push(t.Context(), h.dir, path)
	wantRefusal(t, err, storage.ErrUnavailable, "another directory than before")
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("%v, %v was written beside the store", left, err)
	}
	remove(t, root)
	if err := os.Rename(root+".away", root); err != nil {
		t.Fatal(err)
	}
	mustPush(t, a, h.dir, path)
}

// What was repeated is counted, of a push and of a get.
func TestRetriesAreCounted(t *testing.T) {
	h := newHost(t, small)
	flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
	a := initArchive(t, storage.WithRetry(flaky, storage.Policy{Base: time.Millisecond}, nil), newRing(t), h.dir, archive.Options{})
	flaky.Fail = func(_, _ string, n int) error {
		if n <= 2 {
			return storage.ErrUnavailable
		}
		return nil
	}
	path := h.full()
	if done := mustPush(t, a, h.dir, path); done.Retries != 2 {
		t.Errorf("push: counted %d retries, want 2", done.Retries)
	}
	got, err := a.Get(t.Context(), h.dir, filepath.Base(path), filepath.Join(t.TempDir(), "x"), archive.GetOptions{})
	if err != nil || got.Retries != 2 {
		t.Errorf("get: got %+v, %v, want 2 retries", got, err)
	}
}
