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

// A Put that is repeated reads the object again.
func TestStoredBodyRewinds(t *testing.T) {
	b := storagetest.NewMemory()
	if err := b.Put(t.Context(), "a", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	body := storage.NewStoredBody(t.Context(), b, storage.Info{Name: "a", Size: 7})
	for range 2 {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if p, err := io.ReadAll(body); err != nil || string(p) != "content" {
			t.Errorf("got %q, %v", p, err)
		}
	}
	if _, err := body.Seek(1, io.SeekStart); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("got %v, want %v", err, storage.ErrInvalid)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}
