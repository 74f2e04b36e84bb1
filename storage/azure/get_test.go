package azure

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"walarchive/storage"
)

// An answer that is not to what was asked for is no object, and neither is one
// that ends early.
func TestWrongContent(t *testing.T) {
	for _, c := range []struct {
		name   string
		off, n int64
		status int
		header map[string]string
		body   string
	}{
		{"the whole object instead of a range", 2, 3, 200, nil, "0123456789"},
		{"another range", 2, 3, 206, map[string]string{"Content-Range": "bytes 0-2/10"}, "012"},
		{"a longer range", 2, 3, 206, map[string]string{"Content-Range": "bytes 2-9/10"}, "23456789"},
		{"a range of another length", 2, 3, 206, map[string]string{"Content-Range": "bytes 2-4/10"}, "2345"},
		{"no range", 2, -1, 206, nil, "23456789"},
		{"less than announced", 0, -1, 200, map[string]string{"Content-Length": "20"}, "0123456789"},
		{"nothing of what is announced", 0, -1, 200, map[string]string{"Content-Length": "20"}, ""},
		{"no length", 0, -1, 200, map[string]string{"Transfer-Encoding": "chunked"}, "0123456789"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				describe(w)
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
				_ = http.NewResponseController(w).Flush()
			})
			body, err := f.bucket(t).Get(t.Context(), "name", c.off, c.n)
			if err == nil {
				_, err = io.ReadAll(body)
				_ = body.Close()
			}
			wantRefusal(t, err, storage.ErrUnavailable, "")
		})
	}
}

func TestGetIsOneRequest(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		describe(w)
		w.Header().Set("Content-Range", "bytes 2-4/10")
		w.Header().Set("Content-Length", "3")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "234")
	})
	body, err := f.bucket(t).Get(t.Context(), "a/name", 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil || string(got) != "234" {
		t.Errorf("got %q, %v", got, err)
	}
	requests := f.seen()
	if len(requests) != 1 || requests[0].URL.Path != "/account/wal/a/name" || requests[0].Header.Get("X-Ms-Range") != "bytes=2-4" {
		t.Errorf("got %d requests, first %v with range %q", len(requests), requests[0].URL, requests[0].Header.Get("X-Ms-Range"))
	}
}

// listing is an answer to a List.
func listing(names []string, next string) string {
	var text strings.Builder
	text.WriteString(`<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="x" ContainerName="wal"><Blobs>`)
	for _, name := range names {
		fmt.Fprintf(&text, `<Blob><Name>%s</Name><Properties><Last-Modified>Wed, 09 Sep 2026 09:20:02 GMT</Last-Modified><Content-Length>3</Content-Length></Properties></Blob>`, name)
	}
	fmt.Fprintf(&text, `</Blobs><NextMarker>%s</NextMarker></EnumerationResults>`, next)
	return text.String()
}

// lister answers with a page for each marker.
func lister(t *testing.T, pages map[string]string) *fake {
	return newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, pages[r.URL.Query().Get("marker")])
	})
}

func TestListPages(t *testing.T) {
	f := lister(t, map[string]string{
		"":  listing([]string{"a", "b"}, "1"),
		"1": listing(nil, "2"),
		"2": listing([]string{"b/c", "folder/", "with space", "z"}, ""),
	})
	for after, want := range map[string]string{"": "a b b/c z ", "b": "b/c z ", "z": ""} {
		got := ""
		for info, err := range f.bucket(t).List(t.Context(), "", after) {
			if err != nil {
				t.Fatal(err)
			}
			got += info.Name + " "
		}
		if got != want {
			t.Errorf("after %q: got %q, want %q", after, got, want)
		}
	}
}

func TestListStopsAsking(t *testing.T) {
	f := lister(t, map[string]string{"": listing([]string{"a", "b"}, "1"), "1": listing([]string{"c"}, "")})
	for range f.bucket(t).List(t.Context(), "", "") {
		break
	}
	for range f.bucket(t).List(t.Context(), "no/such name", "") {
		t.Error("there is a name that cannot be")
	}
	if got := len(f.seen()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestWrongLists(t *testing.T) {
	for name, pages := range map[string]map[string]string{
		"another container": {"": strings.Replace(listing(nil, ""), `"wal"`, `"law"`, 1)},
		"another document":  {"": "<List></List>"},
		"no document":       {"": "no"},
		"nothing":           {"": ""},
		"half":              {"": listing([]string{"a"}, "")[:200]},
		"the same again":    {"": listing([]string{"a"}, "1"), "1": listing([]string{"b"}, "1")},
		"no size":           {"": strings.Replace(listing([]string{"a"}, ""), "Content-Length", "Content-Size", 2)},
	} {
		if err := call(t.Context(), lister(t, pages).bucket(t), "list"); err == nil || storage.Permanent(err) {
			t.Errorf("%s: got %v, want an error that is not permanent", name, err)
		}
	}
}

// Data Lake accounts list a/b before a-b.
func TestHierarchicalNamespace(t *testing.T) {
	f := lister(t, map[string]string{"": listing([]string{"a/b", "a-b"}, "")})
	err := call(t.Context(), f.bucket(t), "list")
	if hint := hintOf(err); !strings.Contains(hint, "hierarchical namespace") {
		t.Errorf("got %v, hint %q", err, hint)
	}
}
