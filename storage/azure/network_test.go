package azure

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

// A store that accepts and never answers, or stops in the middle, holds nobody
// for longer than the limits say.
func TestSilentStore(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"mute": func(http.ResponseWriter, *http.Request) {},
		"half an answer": func(w http.ResponseWriter, r *http.Request) {
			describe(w)
			w.Header().Set("Content-Length", "1000000")
			if r.Method == http.MethodPut {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = io.WriteString(w, "<?xml version=\"1.0\"?><EnumerationResults>")
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) { handle(w, r); <-release })
			t.Cleanup(func() { close(release) }) // before the server closes
			limits := storage.Limits{Answer: 200 * time.Millisecond, Progress: 200 * time.Millisecond, Total: time.Second}
			b := storage.WithTimeout(f.bucket(t, small), limits)
			for _, op := range ops {
				if name == "half an answer" && (op == "stat" || op == "delete") {
					continue // that has no body
				}
				start := time.Now()
				if err := call(t.Context(), b, op); !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("%s: got %v, want %v", op, err, storage.ErrUnavailable)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("%s took %v", op, took)
				}
			}
		})
	}
}

// A connection that breaks is a store that is not available, and the last
// word: no layer below repeats what was not idempotent.
func TestBrokenConnections(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"reset at once":  func(w http.ResponseWriter, _ *http.Request) { hijack(w, "", true) },
		"closed at once": func(w http.ResponseWriter, _ *http.Request) { hijack(w, "", false) },
		"no HTTP":        func(w http.ResponseWriter, _ *http.Request) { hijack(w, "SSH-2.0-nothing\r\n", false) },
		"half a header":  func(w http.ResponseWriter, _ *http.Request) { hijack(w, "HTTP/1.1 200 OK\r\nX-Ms", false) },
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nX-Ms-Request-Id: 1\r\nContent-Length: 100\r\nETag: \"1\"\r\n\r\n<?xml", false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFake(t, handle).bucket(t, small)
			for _, op := range ops {
				if name == "half a body" && (op == "stat" || op == "delete") {
					continue
				}
				if err := call(t.Context(), b, op); err == nil || storage.Permanent(err) {
					t.Errorf("%s: got %v, want an error that is not permanent", op, err)
				}
			}
		})
	}
}

// hijack sends raw bytes and ends the connection.
func hijack(w http.ResponseWriter, text string, reset bool) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, text)
	if tcp, ok := c.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
}

func TestRefusedConnection(t *testing.T) {
	f := newFake(t, stored)
	b := f.bucket(t)
	f.Close()
	for _, op := range ops {
		wantRefusal(t, call(t.Context(), b, op), storage.ErrUnavailable, "reachable at http://127.0.0.1")
	}
}

// The body is not touched any more when Put is back, though the server has
// answered early and the connection still wants more.
func TestEarlyAnswer(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 503, "ServerBusy") })
	body := &watched{Reader: strings.NewReader(strings.Repeat("x", 32<<20))}
	if err := f.bucket(t).Put(t.Context(), "name", body); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, storage.ErrUnavailable)
	}
	body.over = true // the race detector sees who reads this now
	time.Sleep(20 * time.Millisecond)
	if body.late {
		t.Error("the body was read after Put")
	}
}

type watched struct {
	*strings.Reader
	over, late bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.late = w.late || w.over
	return w.Reader.Read(p)
}

// tlsFake is a server with TLS, and a file with its certificate.
func tlsFake(t *testing.T, handle http.HandlerFunc) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handle)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return s, writeFile(t, string(text))
}

// A shared access signature goes along with each request, and into no error.
func TestSignatureIsSentAndHidden(t *testing.T) {
	var queries []string
	s, ca := tlsFake(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		w.Header().Set("X-Ms-Request-Id", "1")
		refuse(w, 403, "AuthenticationFailed")
	})
	b := newBucket(t, Options{Container: "wal", Endpoint: s.URL, SASFile: writeFile(t, signature), CAFile: ca})
	for _, closed := range []bool{false, true} {
		if closed {
			s.Close()
		}
		for _, op := range ops {
			err := call(t.Context(), b, op)
			if err == nil {
				t.Errorf("%s: no error", op)
				continue
			}
			if text := err.Error() + hintOf(err); strings.Contains(text, "aGlkZGVu") || strings.Contains(text, "sig=") {
				t.Errorf("%s: %s", op, text)
			}
		}
	}
	if len(queries) != len(ops) {
		t.Fatalf("%d requests, want %d", len(queries), len(ops))
	}
	for _, q := range queries {
		if !strings.Contains(q, "sig=aGlkZGVu") {
			t.Errorf("query %s: not signed", q)
		}
	}
}

// A managed identity's token opens the account. The metadata service is found
// by the environment, as on App Service and in Arc.
func TestManagedIdentity(t *testing.T) {
	var authorization string
	s, ca := tlsFake(t, func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		w.Header().Set("X-Ms-Request-Id", "1")
		stored(w, r)
	})
	metadata := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"token-of-identity","expires_on":"4102444800","resource":"x","token_type":"Bearer"}`)
	})
	useIdentity(t, metadata.URL)
	b := newBucket(t, Options{Container: "wal", Endpoint: s.URL, CAFile: ca})
	if err := call(t.Context(), b, "put"); err != nil {
		t.Fatal(err)
	}
	if authorization != "Bearer token-of-identity" {
		t.Errorf("got authorization %q", authorization)
	}
}

func TestNoIdentity(t *testing.T) {
	s, ca := tlsFake(t, stored)
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		kind   error
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_request","error_description":"Identity not found"}`)
		}, storage.ErrPermission},
		"late": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, nil},
	} {
		useIdentity(t, newFake(t, c.handle).URL)
		err := call(t.Context(), newBucket(t, Options{Container: "wal", Endpoint: s.URL, CAFile: ca}), "get")
		if err == nil || c.kind != nil && !errors.Is(err, c.kind) || c.kind == nil && storage.Permanent(err) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
			continue
		}
		if strings.Contains(err.Error(), "\n") || !strings.Contains(hintOf(err), "identity") {
			t.Errorf("%s: got %q, hint %q", name, err, hintOf(err))
		}
	}
}

// useIdentity has the metadata service at url. Each test is another identity:
// the SDK remembers their tokens for the life of the process.
func useIdentity(t *testing.T, url string) {
	t.Helper()
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
	t.Setenv("IDENTITY_ENDPOINT", url)
	t.Setenv("IDENTITY_HEADER", "x")
	t.Setenv("AZURE_CLIENT_ID", "identity at "+url)
}

func TestUntrustedCertificate(t *testing.T) {
	s, _ := tlsFake(t, stored)
	b := newBucket(t, Options{Container: "wal", Account: "account", Endpoint: s.URL, KeyFile: writeFile(t, "a2V5")})
	wantRefusal(t, call(t.Context(), b, "get"), storage.ErrUnavailable, "CA file")
}

func TestUnknownAccount(t *testing.T) {
	b := newFake(t, stored).bucket(t)
	err := b.classify(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nobody.blob.core.windows.net", IsNotFound: true}})
	if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(hintOf(err), "is there an account at") {
		t.Errorf("got %v, hint %q", err, hintOf(err))
	}
}

// A context that ends is the caller's own doing, and no fault of the store.
func TestEndedContext(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	b := f.bucket(t, small)
	for _, op := range ops {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx, b, op); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want %v", op, err, context.DeadlineExceeded)
		}
		cancel()
	}
}
