package gcs

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// objects is a page of a list.
func objects(token string, names ...string) string {
	items := make([]string, len(names))
	for i, name := range names {
		items[i] = fmt.Sprintf(`{"name":%q,"size":"3","updated":"2026-01-02T03:04:05Z"}`, name)
	}
	return fmt.Sprintf(`{"kind":"storage#objects","nextPageToken":%q,"items":[%s]}`, token, strings.Join(items, ","))
}

func TestListTakesTheStoresWordOnly(t *testing.T) {
	for _, c := range []struct{ name, answer, want string }{
		{"no object", objects(""), ""},
		{"order of bytes", objects("", "a", "b"), ""},
		{"wrong order", objects("", "b", "a"), `has "a" after "b"`},
		{"twice", objects("", "a", "a"), `has "a" after "a"`},
		{"another document", "{}", "is of kind"},
		{"a page", "<html>log in", "no document"},
		{"nothing", "", "no document"},
		{"half a document", objects("", "a")[:40], "no document"},
		{"too much", `{"kind":"storage#objects","etag":"` + strings.Repeat("x", remote.MaxDocument) + `"}`, "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := stubbed(t, Options{}, page(200, "application/json", c.answer))
			err := drain(t, b)
			if c.want == "" && err != nil {
				t.Error(err)
			}
			if c.want != "" && (!errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want ErrUnavailable with %q", err, c.want)
			}
		})
	}
}

func drain(t *testing.T, b *Bucket) error {
	t.Helper()
	for _, err := range b.List(t.Context(), "", "") {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestListAsksForPagesAsTheyAreTaken(t *testing.T) {
	b, s := stubbed(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		text := objects("next", "a", "b")
		if r.URL.Query().Get("pageToken") != "" {
			text = objects("", "c", "folder/", "with space", "z")
		}
		page(200, "application/json", text)(w, r)
	})
	var names []string
	for info, err := range b.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
		if want := 1 + (len(names)-1)/2; want <= 2 && len(s.seen()) != want {
			t.Errorf("at %s: %d requests, want %d", info.Name, len(s.seen()), want)
		}
	}
	if got := strings.Join(names, " "); got != "a b c z" {
		t.Errorf("got %s", got)
	}
	if query := s.seen()[0].URL.Query(); !strings.HasPrefix(query.Get("fields"), "kind,") {
		t.Errorf("fields are %q", query.Get("fields"))
	}
}

func TestStartOffset(t *testing.T) {
	for after, want := range map[string]string{
		"": "", "a/b": "a/b", "a~": "a~", "a b": "a b", "a\nb": "a", "é": "", "ab\xff": "ab",
		strings.Repeat("x", 2000): strings.Repeat("x", storage.MaxName),
	} {
		if got := startOffset(after); got != want {
			t.Errorf("%.20q: got %.20q, want %.20q", after, got, want)
		}
	}
}
