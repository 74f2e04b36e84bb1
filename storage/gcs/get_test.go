package gcs

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"walarchive/storage"
)

func TestGetHoldsTheStoreToItsWord(t *testing.T) {
	const data = "0123456789"
	headers := func(w http.ResponseWriter, hash string) {
		w.Header().Set("X-Goog-Generation", "5")
		w.Header().Set("X-Goog-Hash", "crc32c="+hash)
	}
	for _, c := range []struct {
		name   string
		off, n int64
		answer http.HandlerFunc
		want   string // what is read
		broken string // part of the error; empty: none
	}{
		{"whole", 0, -1, content(data), data, ""},
		{"a range", 3, 4, content(data), "3456", ""},
		{"a range that is the whole", 0, 100, content(data), data, ""},
		{"half a body", 0, -1, func(w http.ResponseWriter, _ *http.Request) {
			headers(w, sum(data))
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, data[:5])
		}, data[:5], "unexpected EOF"},
		{"a connection that breaks", 0, -1, func(w http.ResponseWriter, _ *http.Request) {
			headers(w, sum(data))
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, data[:5])
			if err := http.NewResponseController(w).Flush(); err == nil {
				panic(http.ErrAbortHandler)
			}
		}, data[:5], "unexpected EOF"},
		{"other bytes", 0, -1, func(w http.ResponseWriter, _ *http.Request) {
			headers(w, sum("something"))
			fmt.Fprint(w, data)
		}, data, "another CRC-32C"},
		{"other bytes in a range that is the whole", 0, 100, func(w http.ResponseWriter, r *http.Request) {
			content("0123456x89")(hashed{w, sum(data)}, r)
		}, "0123456x89", "another CRC-32C"},
		{"all for a range", 0, 4, func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			content(data)(w, r)
		}, "", "the store sends 10 from 0"},
		{"another range", 3, 4, func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=4-7")
			content(data)(w, r)
		}, "", "the store sends 4 from 4"},
		{"no length", 0, -1, func(w http.ResponseWriter, _ *http.Request) {
			headers(w, sum(data))
			fmt.Fprint(w, data[:5])
			_ = http.NewResponseController(w).Flush()
		}, "", "no object of a known length"},
		{"a portal's page", 0, -1, page(200, "text/html", "<html>log in"), "", "no object"},
		{"a portal's redirect", 0, -1, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login", http.StatusFound)
		}, "", "status 302"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, s := stubbed(t, Options{}, c.answer)
			got, err := read(t, b, c.off, c.n)
			if got != c.want {
				t.Errorf("read %q, want %q", got, c.want)
			}
			if c.broken == "" && err != nil {
				t.Error(err)
			}
			if c.broken != "" && (!errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), c.broken)) {
				t.Errorf("got error %v, want ErrUnavailable with %q", err, c.broken)
			}
			if n := len(s.seen()); n != 1 {
				t.Errorf("%d requests, want 1: another layer repeats", n)
			}
		})
	}
}

// hashed sends another hash than the one that is set.
type hashed struct {
	http.ResponseWriter
	hash string
}

func (h hashed) WriteHeader(status int) {
	h.Header().Set("X-Goog-Hash", "crc32c="+h.hash)
	h.ResponseWriter.WriteHeader(status)
}

func read(t *testing.T, b *Bucket, off, n int64) (string, error) {
	t.Helper()
	r, err := b.Get(t.Context(), "a", off, n)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}
