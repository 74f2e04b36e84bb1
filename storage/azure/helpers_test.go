package azure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"walarchive/storage"
)

func newBucket(t *testing.T, o Options) *Bucket {
	t.Helper()
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unsized is a body that does not tell its size.
type unsized struct{ io.ReadSeeker }

// wantRefusal checks an error's kind, and that its hint, or if it has none its
// text, contains hint.
func wantRefusal(t *testing.T, err, kind error, hint string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got error %v, want %v", err, kind)
		return
	}
	var e *storage.Error
	if !errors.As(err, &e) {
		t.Errorf("got %T, want *storage.Error", err)
	}
	if got := hintOf(err); !strings.Contains(got, hint) {
		t.Errorf("%v: got hint %q, want %q", err, got, hint)
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if !errors.As(err, &h) {
		return ""
	}
	return h.Hint()
}

func sharedKey(t *testing.T, o Options) *container.SharedKeyCredential {
	t.Helper()
	text, err := os.ReadFile(o.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := container.NewSharedKeyCredential(o.Account, strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A fake is a server that answers with what handle writes, and counts.
type fake struct {
	*httptest.Server
	handle http.HandlerFunc

	mu       sync.Mutex
	requests []*http.Request
}

func newFake(t *testing.T, handle http.HandlerFunc) *fake {
	f := &fake{handle: handle}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r)
	f.mu.Unlock()
	w.Header().Set("X-Ms-Request-Id", "id-of-request")
	f.handle(w, r)
}

func (f *fake) seen() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// bucket is in a container "wal" of the fake.
func (f *fake) bucket(t *testing.T, change ...func(*Options)) *Bucket {
	t.Helper()
	o := Options{Container: "wal", Account: "account", Endpoint: f.URL + "/account", KeyFile: writeFile(t, "a2V5")}
	for _, c := range change {
		c(&o)
	}
	return newBucket(t, o)
}

// stored is the answer to a successful upload.
func stored(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	describe(w)
	w.WriteHeader(http.StatusCreated)
}

func describe(w http.ResponseWriter) {
	w.Header().Set("ETag", `"0x1"`)
	w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
}

// refuse answers as the service does.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Ms-Error-Code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>In words.\nRequestId:id-of-request\nTime:now</Message></Error>", code)
}

// ops are all calls there are.
var ops = []string{"put", "put blocks", "get", "stat", "list", "delete"}

func call(ctx context.Context, b storage.Bucket, op string) error {
	switch op {
	case "put":
		return b.Put(ctx, "name", strings.NewReader("content"))
	case "put blocks":
		return b.Put(ctx, "name", &unsized{bytes.NewReader(make([]byte, 3<<20))})
	case "get":
		_, err := storage.ReadAll(ctx, b, "name", 1<<20)
		return err
	case "stat":
		_, err := b.Stat(ctx, "name")
		return err
	case "delete":
		return b.Delete(ctx, "name")
	}
	for _, err := range b.List(ctx, "", "") {
		if err != nil {
			return err
		}
	}
	return nil
}

func small(o *Options) { o.PartSize = minPart }
