package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"walarchive/storage"
)

// store is a server that answers as it is told, and notes what it was asked.
type store struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

type seen struct {
	method, path string
	header       http.Header
	length       int64
	body         string
}

// newStore answers each request with the next of answers, and all that come
// after the last with that.
func newStore(t *testing.T, answers ...http.HandlerFunc) (*store, *Bucket) {
	t.Helper()
	s := &store{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answers[min(s.count(), len(answers)-1)]
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			t.Logf("the body of a request: %v", err)
		}
		s.mu.Lock()
		s.seen = append(s.seen, seen{r.Method, r.URL.RequestURI(), r.Header, r.ContentLength, string(body)})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s, openAt(t, s.URL)
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// openAt opens the bucket of an endpoint, for the id and secret of the tests.
func openAt(t *testing.T, endpoint string) *Bucket {
	t.Helper()
	setCredentials(t)
	b, err := New(t.Context(), Options{Bucket: "bucket", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const secret = "the-secret-of-the-tests"

func setCredentials(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
	} {
		t.Setenv(name, value)
	}
}

// says answers with a status and a document.
func says(status int, document string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "REQ-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, document) // whoever hung up knows
	}
}

// refuses answers with one of S3's errors.
func refuses(status int, code string) http.HandlerFunc {
	return says(status, fmt.Sprintf("<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>says the store</Message><RequestId>REQ-1</RequestId></Error>", code))
}

// has answers like a store that has the object.
func has(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		http.ServeContent(w, r, "", someTime, strings.NewReader(content))
	}
}

// stored answers to a Put.
func stored(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"e"`) }

// drops hangs up without an answer.
func drops(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		panic(err)
	}
}

const portal = "<html><head><title>Sign in</title></head><body><p>Welcome</p></body></html>"

// calls are one call of each operation.
func calls(t *testing.T, b storage.Bucket) map[string]func() error {
	return map[string]func() error{
		"put":  func() error { return b.Put(t.Context(), "x", strings.NewReader("body")) },
		"get":  func() error { return readAll(t, b, "x", 0, -1) },
		"stat": func() error { _, err := b.Stat(t.Context(), "x"); return err },
		"list": func() error {
			for _, err := range b.List(t.Context(), "", "") {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"delete": func() error { return b.Delete(t.Context(), "x") },
	}
}

func readAll(t *testing.T, b storage.Bucket, name string, off, n int64) error {
	r, err := b.Get(t.Context(), name, off, n)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func hexSHA256(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}
