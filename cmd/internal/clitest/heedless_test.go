package clitest

import (
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestHeedlessStore runs a script on a store that speaks S3 and ignores
// If-None-Match, as gateways and old servers do.
func TestHeedlessStore(t *testing.T) {
	s := httptest.NewServer(&heedless{objects: map[string][]byte{}})
	t.Cleanup(s.Close)
	run(t, "testdata/heedless", func(e *testscript.Env) {
		for name, value := range map[string]string{
			"WALARCHIVE_STORAGE_URL":         "s3://bucket/wal",
			"WALARCHIVE_STORAGE_S3_ENDPOINT": s.URL,
			"WALARCHIVE_STORAGE_S3_REGION":   "us-east-1",
			"AWS_ACCESS_KEY_ID":              "id",
			"AWS_SECRET_ACCESS_KEY":          "secret",
			"AWS_CONFIG_FILE":                "/dev/null",
			"AWS_SHARED_CREDENTIALS_FILE":    "/dev/null",
		} {
			e.Setenv(name, value)
		}
	})
}

// heedless is the bucket "bucket" of such a store.
type heedless struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (h *heedless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/bucket"), "/")
	switch {
	case key == "":
		h.list(w, r)
	case r.Method == http.MethodPut:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.objects[key] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodDelete:
		delete(h.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		h.get(w, r, key)
	}
}

func etag(b []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(b)) }

func (h *heedless) get(w http.ResponseWriter, r *http.Request, key string) {
	body, ok := h.objects[key]
	if !ok {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		return
	}
	w.Header().Set("ETag", etag(body))
	http.ServeContent(w, r, "", time.Unix(1, 0), strings.NewReader(string(body)))
}

func (h *heedless) list(w http.ResponseWriter, r *http.Request) {
	type object struct {
		Key, LastModified, ETag string
		Size                    int
	}
	answer := struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		Name        string
		Prefix      string
		IsTruncated bool
		KeyCount    int
		MaxKeys     int
		Contents    []object
	}{Name: "bucket", Prefix: r.FormValue("prefix"), MaxKeys: 1000}
	for _, key := range slices.Sorted(maps.Keys(h.objects)) {
		if strings.HasPrefix(key, answer.Prefix) && key > r.FormValue("start-after") {
			answer.Contents = append(answer.Contents, object{key, "2026-01-02T03:04:05Z", etag(h.objects[key]), len(h.objects[key])})
		}
	}
	answer.KeyCount = len(answer.Contents)
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(answer)
}
