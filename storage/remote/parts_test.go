package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"walarchive/storage"
)

// unsized is a body that does not say its size.
type unsized struct{ io.ReadSeeker }

// claims is a body that says a size.
type claims struct {
	io.ReadSeeker
	size int64
}

func (c claims) Size() int64 { return c.size }

func TestParts(t *testing.T) {
	for _, c := range []struct {
		name  string
		body  io.ReadSeeker
		whole bool
		parts int
		err   error
	}{
		{"empty", unsized{strings.NewReader("")}, true, 0, nil},
		{"less than a part", unsized{strings.NewReader("123")}, true, 0, nil},
		{"one part", unsized{strings.NewReader("1234")}, false, 1, nil},
		{"two", unsized{strings.NewReader("12345678")}, false, 2, nil},
		{"two and a rest", unsized{strings.NewReader("123456789")}, false, 3, nil},
		{"as many as there may be", unsized{strings.NewReader(strings.Repeat("x", 40))}, false, 10, nil},
		{"one byte more", unsized{strings.NewReader(strings.Repeat("x", 41))}, false, 0, storage.ErrTooLarge},
		{"larger parts for a larger body", strings.NewReader(strings.Repeat("x", 95)), false, 10, nil},
		{"shorter than said", claims{strings.NewReader("12345"), 9}, false, 0, storage.ErrInvalid},
		{"longer than said", claims{strings.NewReader("123456789"), 5}, false, 0, storage.ErrInvalid},
		{"whole and not as said", claims{strings.NewReader("123"), 2}, true, 0, storage.ErrInvalid},
		{"the body fails", unsized{broken{bytes.NewReader(nil)}}, false, 0, errBody},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts := Parts{Size: 4, Max: 10, Concurrency: 3}
			first, whole, err := parts.First(c.body)
			n := 0
			if err == nil && !whole {
				n, err = sendAll(t, parts, first, c.body)
			}
			if whole != c.whole || err == nil && n != c.parts || !errors.Is(err, c.err) {
				t.Errorf("got whole %v, %d parts, %v; want %v, %d, %v", whole, n, err, c.whole, c.parts, c.err)
			}
		})
	}
}

// sendAll sends what has First behind it, and holds what arrives to the body.
func sendAll(t *testing.T, parts Parts, first []byte, body io.ReadSeeker) (int, error) {
	t.Helper()
	var mu sync.Mutex
	got := map[int]string{}
	n, err := parts.Send(t.Context(), first, body, func(_ context.Context, number int, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		got[number] = string(data)
		return nil
	})
	if err != nil {
		return n, err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	var all string
	for number := range n {
		all += got[number]
	}
	if all != string(want) || len(got) != n {
		t.Errorf("%d parts arrived with %q, want %d with %q", len(got), all, n, want)
	}
	return n, nil
}

// No more parts are in memory than there may be, and all of those are used.
func TestPartsAtOnce(t *testing.T) {
	const concurrency = 3
	var mu sync.Mutex
	now, most := 0, 0
	full := make(chan struct{}) // closed once all are in use
	parts := Parts{Size: 1, Max: 100, Concurrency: concurrency}
	_, err := parts.Send(t.Context(), []byte("x"), unsized{strings.NewReader(strings.Repeat("x", 30))},
		func(context.Context, int, []byte) error {
			mu.Lock()
			now++
			if now > most {
				if most = now; most == concurrency {
					close(full)
				}
			}
			mu.Unlock()
			<-full
			mu.Lock()
			defer mu.Unlock()
			now--
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if most != concurrency {
		t.Errorf("%d parts at once, want %d", most, concurrency)
	}
}

// The first error ends the other calls and the reading, and is what is told.
func TestPartsEndWithTheFirstError(t *testing.T) {
	refused := errors.New("refused")
	body := strings.NewReader(strings.Repeat("x", 1000))
	_, err := Parts{Size: 1, Max: 10_000, Concurrency: 4}.Send(t.Context(), []byte("x"), unsized{body},
		func(ctx context.Context, number int, _ []byte) error {
			if number == 2 {
				return refused
			}
			<-ctx.Done()
			return ctx.Err()
		})
	if err != refused {
		t.Errorf("got %v, want %v", err, refused)
	}
	if body.Len() < 990 {
		t.Errorf("only %d bytes of the body are left", body.Len())
	}
}

// A Put that is cancelled between parts has not sent them all.
func TestPartsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Parts{Size: 1, Max: 10_000, Concurrency: 1}.Send(ctx, []byte("x"), unsized{strings.NewReader("xxxx")},
		func(context.Context, int, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
