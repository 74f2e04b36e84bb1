package gcs

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

// every calls each operation, and gives their errors by name.
func every(t *testing.T, b *Bucket) map[string]error {
	t.Helper()
	_, get := read(t, b, 0, -1)
	_, stat := b.Stat(t.Context(), "a")
	return map[string]error{
		"put": b.Put(t.Context(), "a", strings.NewReader("x")), "get": get, "stat": stat,
		"list": drain(t, b), "delete": b.Delete(t.Context(), "a"),
	}
}

func TestRefusals(t *testing.T) {
	const html = "<html><title>404 Not Found</title></html>"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		kind   error
		hint   string
	}{
		{"no such bucket", refusal(404, "notFound", "The specified bucket does not exist."), storage.ErrInvalid, "there is no bucket b"},
		{"a proxy's 404", page(404, "text/html", html), storage.ErrUnavailable, "proxy"},
		{"a proxy's 412", page(412, "text/html", html), storage.ErrUnavailable, "proxy"},
		{"a proxy's 400", page(400, "text/html", html), storage.ErrUnavailable, "proxy"},
		{"a proxy's 200", page(200, "text/html", html), storage.ErrUnavailable, "proxy"},
		{"a document of something else", page(200, "application/json", `{"kind":"other"}`), storage.ErrUnavailable, "proxy"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login", http.StatusTemporaryRedirect)
		}, storage.ErrUnavailable, "proxy"},
		{"no permission", refusal(403, "forbidden", "no storage.objects.get access"), storage.ErrPermission, "storage.objects.create"},
		{"not logged in", refusal(401, "authError", "Invalid Credentials"), storage.ErrPermission, "renew"},
		{"a wrong clock", skewed(refusal(401, "authError", "Invalid Credentials")), storage.ErrPermission, "clock"},
		{"locked", refusal(403, "retentionPolicyNotMet", "is subject to retention"), storage.ErrPermission, "locked"},
		{"too much as 403", refusal(403, "rateLimitExceeded", "slow"), storage.ErrUnavailable, "fewer"},
		{"too much", refusal(429, "rateLimitExceeded", "slow"), storage.ErrUnavailable, ""},
		{"an internal error", refusal(500, "internalError", "oops"), storage.ErrUnavailable, ""},
		{"an overload", refusal(503, "backendError", "later"), storage.ErrUnavailable, ""},
		{"damaged bytes", refusal(400, "invalid", `Provided CRC32C "a" doesn't match calculated CRC32C "b"`), storage.ErrUnavailable, "damaged"},
		{"a bad request", refusal(400, "invalid", "Invalid storage class"), storage.ErrInvalid, ""},
		{"a policy", refusal(412, "orgPolicyConstraintFailed", "no"), storage.ErrPermission, "organisation"},
		{"half an answer", halfAnswer, storage.ErrUnavailable, ""},
		{"a broken connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, storage.ErrUnavailable, "reachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := stubbed(t, Options{}, c.answer)
			for op, err := range every(t, b) {
				var e *storage.Error
				if !errors.As(err, &e) || e.Op != op {
					t.Errorf("%s: got %T (%v)", op, err, err)
				}
				if !errors.Is(err, c.kind) {
					t.Errorf("%s: got %v, want %v", op, err, c.kind)
				}
				if errors.Is(err, storage.ErrNotExist) || errors.Is(err, storage.ErrExist) {
					t.Errorf("%s: %v tells of an object", op, err)
				}
				if !strings.Contains(hintOf(err), c.hint) {
					t.Errorf("%s: the hint is %q, want %q in it", op, hintOf(err), c.hint)
				}
			}
		})
	}
}

func skewed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		next(w, r)
	}
}

func halfAnswer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Goog-Generation", "5")
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"kind":"storage#obj`)
}

func TestRefusalsCarryTheRequest(t *testing.T) {
	b, s := stubbed(t, Options{}, refusal(503, "backendError", "later\nmaybe"))
	for op, err := range every(t, b) {
		if !strings.Contains(err.Error(), "request request-17") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", op, err)
		}
	}
	if n := len(s.seen()); n != 5 {
		t.Errorf("%d requests for 5 calls: another layer repeats", n)
	}
}

func TestConditionNotMet(t *testing.T) {
	b, _ := stubbed(t, Options{}, refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."))
	for _, size := range []int{10, maxSingle + 1} {
		err := b.Put(t.Context(), "a", strings.NewReader(strings.Repeat("x", size)))
		if !errors.Is(err, storage.ErrExist) || !storage.Permanent(err) {
			t.Errorf("%d bytes: got %v, want ErrExist", size, err)
		}
	}
}

func TestMissingObject(t *testing.T) {
	listing := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/o") {
				page(200, "application/json", text)(w, r)
				return
			}
			page(404, "text/plain", "Not Found")(w, r)
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   error
		asked  int
	}{
		{"the store names it", refusal(404, "notFound", "No such object: b/a"), storage.ErrNotExist, 1},
		{"the store names it in text", page(404, "text/html", "No such object: b/a"), storage.ErrNotExist, 1},
		{"it names another", refusal(404, "notFound", "No such object: b/other"), storage.ErrInvalid, 2},
		{"a list lacks it", listing(objects("")), storage.ErrNotExist, 2},
		{"a list has a longer one", listing(objects("", "a.b")), storage.ErrNotExist, 2},
		{"a list has it", listing(objects("", "a")), storage.ErrUnavailable, 2},
		{"no list", listing("<html>"), storage.ErrUnavailable, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, s := stubbed(t, Options{}, c.answer)
			_, err := b.Stat(t.Context(), "a")
			if !errors.Is(err, c.want) || c.want != storage.ErrNotExist && errors.Is(err, storage.ErrNotExist) {
				t.Errorf("stat: got %v, want %v", err, c.want)
			}
			if n := len(s.seen()); n != c.asked {
				t.Errorf("stat: %d requests, want %d", n, c.asked)
			}
			if _, err := read(t, b, 0, -1); !errors.Is(err, c.want) {
				t.Errorf("get: got %v, want %v", err, c.want)
			}
			if err := b.Delete(t.Context(), "a"); (err == nil) != (c.want == storage.ErrNotExist) {
				t.Errorf("delete: got %v", err)
			}
		})
	}
}

// What the network itself does wrong.
func TestUnreachable(t *testing.T) {
	refusing := httptest.NewServer(http.NotFoundHandler())
	refusing.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes
	untrusted.StartTLS()
	defer untrusted.Close()
	for _, c := range []struct{ name, endpoint, hint string }{
		{"nobody listens", refusing.URL, "reachable at " + refusing.URL},
		{"a certificate of nobody known", untrusted.URL, "CA file"},
	} {
		b, err := New(t.Context(), Options{Bucket: "b", Endpoint: c.endpoint, Anonymous: true})
		if err != nil {
			t.Fatal(err)
		}
		for op, err := range every(t, b) {
			if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(hintOf(err), c.hint) {
				t.Errorf("%s, %s: got %v, hint %q", c.name, op, err, hintOf(err))
			}
		}
	}
}
