package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

// A store that says nothing, or no more, ends every call as soon as the limits
// of WithTimeout say so.
func TestMuteStore(t *testing.T) {
	limits := storage.Limits{Answer: 100 * time.Millisecond, Progress: 100 * time.Millisecond, Total: 5 * time.Second}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"no answer", func(http.ResponseWriter, *http.Request) {}},
		{"half an answer", func(w http.ResponseWriter, r *http.Request) {
			halfAnswer(w, r)
			_ = http.NewResponseController(w).Flush()
		}},
		{"a session that stalls", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("uploadType") == "resumable" && r.URL.Query().Get("upload_id") == "" {
				session("a", "")(w, r)
				_ = http.NewResponseController(w).Flush()
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.answer(w, r) // reads no body
				<-ended
			}))
			defer server.Close()
			defer close(ended)
			raw, err := New(t.Context(), Options{Bucket: "b", Endpoint: server.URL, Anonymous: true, PartSize: partUnit})
			if err != nil {
				t.Fatal(err)
			}
			b := storage.WithTimeout(raw, limits)
			for op, call := range calls(t, b) {
				begin := time.Now()
				err := call()
				if !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("%s: got %v, want ErrUnavailable", op, err)
				}
				if took := time.Since(begin); took > 3*time.Second {
					t.Errorf("%s took %v", op, took)
				}
			}
		})
	}
}

// calls are the operations of a bucket, with bodies larger than what a
// connection holds.
func calls(t *testing.T, b storage.Bucket) map[string]func() error {
	body := strings.Repeat("x", 16<<20)
	return map[string]func() error{
		"put":         func() error { return b.Put(t.Context(), "a", strings.NewReader(body)) },
		"put unsized": func() error { return b.Put(t.Context(), "a", unsized{strings.NewReader(body)}) },
		"get": func() error {
			_, err := storage.ReadAll(t.Context(), b, "a", 1<<20)
			return err
		},
		"stat":   func() error { _, err := b.Stat(t.Context(), "a"); return err },
		"delete": func() error { return b.Delete(t.Context(), "a") },
		"list": func() error {
			for info, err := range b.List(t.Context(), "", "") {
				if err != nil {
					return err
				}
				return fmt.Errorf("listed %s", info.Name)
			}
			return errors.New("an empty list")
		},
	}
}

// Without WithTimeout the context alone ends a call, also one whose body the
// store does not take.
func TestContextEndsCallsToAMuteStore(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer server.Close()
	defer close(ended)
	b, err := New(t.Context(), Options{Bucket: "b", Endpoint: server.URL, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []io.ReadSeeker{
		strings.NewReader(strings.Repeat("x", 16<<20)),
		unsized{strings.NewReader(strings.Repeat("x", 40<<20))},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		begin := time.Now()
		err := b.Put(ctx, "a", body)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
	}
}
