package remote

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"walarchive/storage"
)

func TestList(t *testing.T) {
	cut := errors.New("cut")
	asked := 0
	objects := func(yield func(storage.Info, error) bool) {
		asked++
		_ = yield(storage.Info{Name: "a"}, nil) && yield(storage.Info{Name: "b"}, nil) && yield(storage.Info{}, cut)
	}
	for _, c := range []struct {
		prefix string
		names  string
		asked  int
		err    error
	}{
		{"", "ab", 1, cut},
		{"dir/", "ab", 1, cut},
		{"..a", "ab", 1, cut},
		{"..", "ab", 1, cut},
		{"/", "", 0, nil},
		{"a//", "", 0, nil},
		{"../", "", 0, nil},
		{"ä", "", 0, nil},
	} {
		t.Run(c.prefix, func(t *testing.T) {
			asked = 0
			var names string
			var err error
			for info, e := range List(t.Context(), c.prefix, objects, same) {
				names, err = names+info.Name, e
			}
			if names != c.names || asked != c.asked || !errors.Is(err, c.err) {
				t.Errorf("got %q, asked %d times, %v; want %q, %d, %v", names, asked, err, c.names, c.asked, c.err)
			}
		})
	}
	for range List(t.Context(), "", objects, same) {
		break // a further yield would panic
	}
}

func TestReader(t *testing.T) {
	for _, c := range []struct {
		name string
		body io.Reader
		left int64
		want error
	}{
		{"as announced", strings.NewReader("12345"), 5, nil},
		{"shorter", strings.NewReader("12345"), 6, io.ErrUnexpectedEOF},
		{"longer", strings.NewReader("12345"), 4, io.ErrUnexpectedEOF},
		{"broken", broken{}, 5, errBody},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := &closes{Reader: c.body}
			r := &Reader{Context: t.Context(), Name: "x", Body: body, Left: c.left, Classify: same}
			_, err := io.ReadAll(r)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			var e *storage.Error
			if err != nil && (!errors.As(err, &e) || e.Op != "get" || e.Name != "x") {
				t.Errorf("got %v, want an error that names the operation and the object", err)
			}
			if err := r.Close(); err != nil || !body.closed {
				t.Errorf("close: %v, closed %v", err, body.closed)
			}
		})
	}
}

func TestReaderStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := &Reader{Context: ctx, Body: io.NopCloser(strings.NewReader("12")), Left: 2, Classify: same}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d, %v", n, err)
	}
}
