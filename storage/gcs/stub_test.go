package gcs

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A stub answers in the place of the store and keeps what it was asked.
type stub struct {
	mu       sync.Mutex
	requests []request
}

type request struct {
	*http.Request
	body string
}

// stubbed is a bucket whose store is answer.
func stubbed(t *testing.T, o Options, answer http.HandlerFunc) (*Bucket, *stub) {
	t.Helper()
	s := new(stub)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client broke off: nothing is stored
		}
		s.mu.Lock()
		s.requests = append(s.requests, request{r, string(body)})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	o.Bucket, o.Endpoint, o.Anonymous = "b", server.URL, true
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

func (s *stub) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// refusal is an answer as the JSON API gives it.
func refusal(status int, reason, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-GUploader-UploadID", "request-17")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"errors":[{"message":%q,"domain":"global","reason":%q}]}}`,
			status, message, message, reason)
	}
}

func page(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

// content answers with an object's bytes, as the store does.
func content(data string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Goog-Generation", "5")
		w.Header().Set("X-Goog-Hash", "crc32c="+sum(data))
		http.ServeContent(w, r, "", testTime, strings.NewReader(data))
	}
}

// stored answers a Put: the object is there, with the bytes of data.
func stored(w http.ResponseWriter, name, data string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"kind":"storage#object","bucket":"b","name":%q,"size":"%d","crc32c":%q,"generation":"5"}`,
		name, len(data), sum(data))
}

func sum(data string) string {
	crc := crc32.Checksum([]byte(data), castagnoli)
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
