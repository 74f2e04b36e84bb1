//go:build integration

package servers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

// Uploads are the requests in which a backend sends a large object: those with
// a Piece of it, and the Last, which makes it an object.
type Uploads struct {
	Piece, Last func(r *http.Request) bool
}

// TestUploads holds a backend, with calls repeated, to what must be true of
// large objects in a network that breaks at the worst of moments: whole or
// not at all, and no other answer than the right one. open gives the same new
// bucket on each call, through a front, and sends bodies of unknown size in
// pieces of at most 8 MiB.
func TestUploads(t *testing.T, server string, u Uploads, open func(t *testing.T, base string) storage.Bucket) {
	f := StartFront(t, server)
	b := repeated(open(t, f.URL), storage.Limits{Answer: 15 * time.Second, Progress: 15 * time.Second, Total: 30 * time.Second}, time.Minute)
	content := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16)
	body := func() io.ReadSeeker { return struct{ io.ReadSeeker }{bytes.NewReader(content)} }
	for _, c := range []struct {
		name   string
		pick   func(r *http.Request) Fate
		stored bool // for sure, whatever Put can tell
	}{
		{"nothing happens", func(*http.Request) Fate { return Passed }, true},
		{"a piece is cut", once(u.Piece, 2, Cut), true},
		{"the answer to a piece is lost", once(u.Piece, 2, Lost), true},
		{"the last request is cut", once(u.Last, 1, Cut), true},
		{"the answer to the last request is lost", once(u.Last, 1, Lost), true},
		{"pieces are always cut", every(u.Piece, Cut), false},
		{"the answer to the last request is always lost", every(u.Last, Lost), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := strings.ReplaceAll(c.name, " ", "-")
			f.Pick(c.pick)
			err := b.Put(t.Context(), name, body())
			f.Pick(func(*http.Request) Fate { return Passed })
			wantStored(t, b, name, content, err, c.stored)
			if err := b.Put(t.Context(), name, body()); err != nil && !errors.Is(err, storage.ErrExist) {
				t.Errorf("put again: %v", err)
			}
			if err := wantContent(t.Context(), t, b, name, content); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		second := once(u.Piece, 2, Lost)
		f.Pick(func(r *http.Request) Fate {
			fate := second(r)
			if fate != Passed {
				cancel()
			}
			return fate
		})
		if err := b.Put(ctx, "given-up", body()); !errors.Is(err, context.Canceled) {
			t.Errorf("put: got %v, want the context's error", err)
		}
		f.Pick(func(*http.Request) Fate { return Passed })
		if _, err := b.Stat(t.Context(), "given-up"); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("stat: got %v, want ErrNotExist", err)
		}
	})
}

// wantStored: a Put that ended with err left the whole object if it is stored
// for sure, and otherwise none.
func wantStored(t *testing.T, b storage.Bucket, name string, content []byte, err error, stored bool) {
	t.Helper()
	if err != nil && !errors.Is(err, storage.ErrExist) && storage.Permanent(err) {
		t.Errorf("put: got %v, want an error that is not permanent", err)
	}
	info, statErr := b.Stat(t.Context(), name)
	switch {
	case statErr == nil && info.Size != int64(len(content)):
		t.Errorf("there is an object of %d bytes", info.Size)
	case statErr == nil && !stored:
		t.Error("there is an object, of which no piece arrived")
	case stored && statErr != nil || !stored && !errors.Is(statErr, storage.ErrNotExist):
		t.Errorf("after put (%v): stat says %v", err, statErr)
	}
}

// once spoils the nth of the requests that is picks.
func once(is func(r *http.Request) bool, nth int, fate Fate) func(r *http.Request) Fate {
	n := 0
	return func(r *http.Request) Fate {
		if is(r) {
			if n++; n == nth {
				return fate
			}
		}
		return Passed
	}
}

// every spoils all of them.
func every(is func(r *http.Request) bool, fate Fate) func(r *http.Request) Fate {
	return func(r *http.Request) Fate {
		if is(r) {
			return fate
		}
		return Passed
	}
}
