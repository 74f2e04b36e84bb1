package storage_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// mux has the scheme mem, with the parameters region and class.
var mux = storage.Mux{
	"mem": func(_ context.Context, u *url.URL) (storage.Bucket, error) {
		return storagetest.NewMemory(), storage.CheckQuery(u, "region", "class")
	},
	"zip": nil,
}

func TestMuxOpens(t *testing.T) {
	for _, u := range []string{"mem:", "mem:///", "mem://host/path?region=eu&class=cold", "MEM:///x"} {
		if b, err := mux.Open(t.Context(), u); err != nil || b == nil {
			t.Errorf("%s: got %v, %v", u, b, err)
		}
	}
}

func TestMuxRefuses(t *testing.T) {
	for _, c := range []struct{ name, url, says, hint string }{
		{"no scheme", "/srv/wal", "no scheme", "file:///srv/wal"},
		{"nothing", "", "no scheme", "file:///srv/wal"},
		{"unknown scheme", "ftp://host/x", `unknown scheme "ftp"`, "mem, zip"},
		{"unknown parameter", "mem:///x?regoin=eu", `unknown parameter "regoin"`, ""},
		{"parameter twice", "mem:///x?region=eu&region=us", `parameter "region" stands twice`, ""},
		{"bad query", "mem:///x?a=1;b=2", "malformed", ""},
		{"fragment", "mem:///x#y", "fragment", "%23"},
		{"user", "mem://me@host/x", "user information", "credentials"},
		{"password", "mem://me:hunter2@host/x", "user information", "credentials"},
		{"password that breaks the URL", "mem://me:hunter2%@host/x", "malformed", ""},
		{"password in a parameter", "mem:///x?secret=hunter2", `"secret"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mux.Open(t.Context(), c.url)
			if !errors.Is(err, storage.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got error %v, want one that says %q", err, c.says)
			}
			var h interface{ Hint() string }
			if !errors.As(err, &h) || !strings.Contains(h.Hint(), c.hint) {
				t.Errorf("%v: has not the hint %q", err, c.hint)
			}
			if strings.Contains(err.Error()+h.Hint(), "hunter2") {
				t.Errorf("%v: tells a secret", err)
			}
		})
	}
}

func TestMuxOpenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		hung := storage.Mux{"nfs": func(context.Context, *url.URL) (storage.Bucket, error) { <-until; return nil, nil }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := hung.Open(ctx, "nfs://server/export")
		wantUnavailable(t, err)
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := hung.Open(ctx, "nfs://server/export"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		close(until)
	})
}
