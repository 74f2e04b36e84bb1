package gcs

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"walarchive/storage"
)

func TestPutInOneRequest(t *testing.T) {
	const data = "the content"
	b, s := stubbed(t, Options{}, func(w http.ResponseWriter, _ *http.Request) { stored(w, "a/b", data) })
	if err := b.Put(t.Context(), "a/b", strings.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	requests := s.seen()
	if len(requests) != 1 {
		t.Fatalf("%d requests, want 1", len(requests))
	}
	query := requests[0].URL.Query()
	if got := query.Get("ifGenerationMatch"); got != "0" {
		t.Errorf("ifGenerationMatch is %q, want 0", got)
	}
	if got := query.Get("uploadType"); got != "multipart" {
		t.Errorf("uploadType is %q", got)
	}
	for _, want := range []string{data, `"crc32c":"` + sum(data) + `"`, `"name":"a/b"`} {
		if !strings.Contains(requests[0].body, want) {
			t.Errorf("the request lacks %q:\n%s", want, requests[0].body)
		}
	}
}

func TestPutSendsSettings(t *testing.T) {
	o := Options{
		StorageClass: "NEARLINE", EncryptionKey: "projects/p/locations/l/keyRings/r/cryptoKeys/k",
		RetainMode: "Locked", RetainFor: 48 * time.Hour,
	}
	b, s := stubbed(t, o, func(w http.ResponseWriter, _ *http.Request) { stored(w, "a", "x") })
	if err := b.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	r := s.seen()[0]
	if got := r.URL.Query().Get("kmsKeyName"); got != o.EncryptionKey {
		t.Errorf("kmsKeyName is %q", got)
	}
	day := time.Now().Add(o.RetainFor).UTC().Format(time.DateOnly)
	for _, want := range []string{`"storageClass":"NEARLINE"`, `"mode":"Locked"`, `"retainUntilTime":"` + day} {
		if !strings.Contains(r.body, want) {
			t.Errorf("the request lacks %q:\n%s", want, r.body)
		}
	}
}

// unsized is a body that does not tell its size.
type unsized struct{ io.ReadSeeker }

// session answers like a resumable upload: the beginning, pieces, the end.
func session(name, data string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("upload_id") == "":
			w.Header().Set("Location", "http://"+r.Host+"/upload?uploadType=resumable&upload_id=secret")
		case strings.HasSuffix(r.Header.Get("Content-Range"), "/*"):
			w.Header().Set("X-Http-Status-Code-Override", "308")
		default:
			stored(w, name, data)
		}
	}
}

func TestPutInPieces(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 3*partUnit/16) + "rest"
	b, s := stubbed(t, Options{PartSize: partUnit}, session("a", data))
	if err := b.Put(t.Context(), "a", unsized{strings.NewReader(data)}); err != nil {
		t.Fatal(err)
	}
	requests := s.seen()
	if got := requests[0].URL.Query().Get("ifGenerationMatch"); got != "0" {
		t.Errorf("the session begins with ifGenerationMatch %q, want 0", got)
	}
	var sent strings.Builder
	var hashes []string
	for _, r := range requests[1:] {
		if len(r.body) > partUnit {
			t.Errorf("a piece has %d bytes, more than %d", len(r.body), partUnit)
		}
		sent.WriteString(r.body)
		hashes = append(hashes, r.Header.Get("X-Goog-Hash"))
	}
	if sent.String() != data {
		t.Errorf("%d bytes were sent, not the %d of the body", sent.Len(), len(data))
	}
	if want := []string{"", "", "", "crc32c=" + sum(data)}; !slices.Equal(hashes, want) {
		t.Errorf("hashes of the pieces: got %q, want %q", hashes, want)
	}
}

// A piece that is refused ends the session: one layer repeats, and not this.
func TestPutRepeatsNoPiece(t *testing.T) {
	data := strings.Repeat("x", 2*partUnit)
	for name, answer := range map[string]http.HandlerFunc{
		"unavailable":        refusal(503, "backendError", "try again"),
		"too many requests":  refusal(429, "rateLimitExceeded", "slow down"),
		"session forgotten":  page(410, "text/plain", "gone"),
		"a proxy's page":     page(502, "text/html", "<html>bad gateway"),
		"a page as success":  page(200, "text/html", "<html>log in"),
		"another connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			good := session("a", data)
			var broken atomic.Bool
			b, s := stubbed(t, Options{PartSize: partUnit}, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("upload_id") != "" {
					broken.Store(true)
				}
				if broken.Load() {
					answer(w, r)
					return
				}
				good(w, r)
			})
			err := b.Put(t.Context(), "a", unsized{strings.NewReader(data)})
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error has the session's address: %v", err)
			}
			looks := func(r request) bool { return r.Method == http.MethodGet } // see TestLostRefusal
			if n := len(slices.DeleteFunc(s.seen(), looks)); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
		})
	}
}

func TestPutKeepsTheSessionAtTheStore(t *testing.T) {
	b, s := stubbed(t, Options{PartSize: partUnit}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://elsewhere.invalid/upload?upload_id=1")
	})
	err := b.Put(t.Context(), "a", unsized{strings.NewReader(strings.Repeat("x", 2*partUnit))})
	if err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("got %v", err)
	}
	if n := len(s.seen()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// The store's answer says that it has other bytes: they are withdrawn, and
// nothing that somebody else may have stored meanwhile.
func TestPutWithdrawsWhatTheStoreSpoiled(t *testing.T) {
	b, s := stubbed(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		stored(w, "a/b", "tHe content")
	})
	err := b.Put(t.Context(), "a/b", strings.NewReader("the content"))
	if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("got %v", err)
	}
	requests := s.seen()
	if len(requests) != 2 || requests[1].Method != http.MethodDelete {
		t.Fatalf("got %d requests, want a put and a delete", len(requests))
	}
	if got := requests[1].URL.Query().Get("ifGenerationMatch"); got != "5" {
		t.Errorf("the delete has ifGenerationMatch %q, want 5", got)
	}
	if got := requests[1].URL.Path; got != "/storage/v1/b/b/o/a/b" {
		t.Errorf("the delete is of %s", got)
	}
}

// failing fails after its first bytes.
type failing struct{ *strings.Reader }

var errBody = errors.New("the disk is gone")

func (f failing) Read(p []byte) (int, error) {
	if f.Len() < int(f.Size()) {
		return 0, errBody
	}
	return f.Reader.Read(p[:min(len(p), 100)])
}

func TestPutOfAFailingBodySendsNothingWhole(t *testing.T) {
	for _, size := range []int{1000, maxSingle + 1} {
		b, s := stubbed(t, Options{PartSize: partUnit}, session("a", ""))
		err := b.Put(t.Context(), "a", failing{strings.NewReader(strings.Repeat("x", size))})
		if !errors.Is(err, errBody) || errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%d bytes: got %v, want the body's error", size, err)
		}
		for _, r := range s.seen() {
			if r.URL.Query().Get("upload_id") != "" {
				t.Errorf("%d bytes: a piece was sent", size)
			}
		}
	}
}

// An early answer is none to the whole of a body, and ends the call.
func TestPutIsNotAnsweredEarly(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stored(w, "a", "x")
		_ = http.NewResponseController(w).Flush()
	}))
	defer server.Close()
	b, err := New(t.Context(), Options{Bucket: "b", Endpoint: server.URL, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Put(t.Context(), "a", strings.NewReader(strings.Repeat("x", 32<<20)))
	if err == nil || storage.Permanent(err) {
		t.Errorf("got %v, want an error that may pass", err)
	}
}

// A store that refuses before it has read the body resets the connection, and
// the refusal is lost: only a look tells.
func TestLostRefusal(t *testing.T) {
	for _, c := range []struct {
		name string
		look http.HandlerFunc
		want error
	}{
		{"taken", func(w http.ResponseWriter, _ *http.Request) { stored(w, "a", "the winner's") }, storage.ErrExist},
		{"free", refusal(404, "notFound", "No such object: b/a"), storage.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := stubbed(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					c.look(w, r)
					return
				}
				reset(t, w)
			})
			err := b.Put(t.Context(), "a", strings.NewReader("x"))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// reset breaks the connection off.
func reset(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if err := errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close()); err != nil {
		t.Error(err)
	}
}
