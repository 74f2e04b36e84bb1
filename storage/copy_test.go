package storage_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

func TestCopy(t *testing.T) {
	from, to := storagetest.NewMemory(), storagetest.NewMemory()
	if err := from.Put(t.Context(), "a", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, object string
		want         error
	}{
		{"free", "a", nil},
		{"taken", "a", storage.ErrExist},
		{"missing", "b", storage.ErrNotExist},
	} {
		if err := storage.Copy(t.Context(), from, c.object, to, "copy"); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if p, err := storage.ReadAll(t.Context(), to, "copy", 100); err != nil || string(p) != "content" {
		t.Errorf("got %q, %v", p, err)
	}
}

// Clients of stores seek about in a body: to its end for the size, and back.
func TestStoredBodySeeks(t *testing.T) {
	b := storagetest.NewMemory()
	if err := b.Put(t.Context(), "a", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	body := storage.NewStoredBody(t.Context(), b, storage.Info{Name: "a", Size: 7})
	for _, c := range []struct {
		off    int64
		whence int
		at     int64
		want   string
	}{
		{0, io.SeekStart, 0, "content"},
		{0, io.SeekCurrent, 7, ""},
		{0, io.SeekStart, 0, "content"},
		{-2, io.SeekEnd, 5, "nt"},
		{-3, io.SeekCurrent, 4, "ent"},
		{9, io.SeekStart, 9, ""},
	} {
		at, err := body.Seek(c.off, c.whence)
		if at != c.at || err != nil {
			t.Errorf("seek %d, %d: got %d, %v, want %d", c.off, c.whence, at, err, c.at)
		}
		if p, err := io.ReadAll(body); err != nil || string(p) != c.want {
			t.Errorf("from %d: got %q, %v, want %q", at, p, err, c.want)
		}
	}
	if _, err := body.Seek(-1, io.SeekStart); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("got %v, want %v", err, storage.ErrInvalid)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}
