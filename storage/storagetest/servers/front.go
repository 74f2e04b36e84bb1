//go:build integration

package servers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Front stands before a store's server. Other than a Proxy it understands
// HTTP, so that a test picks which request it spoils.
type Front struct {
	URL string

	mu   sync.Mutex
	pick func(r *http.Request) Fate
}

// Fate is what becomes of a request.
type Fate int

// A request is Passed on as it is; or Cut in the middle of its body, by the
// end of its connection; or done by the server and its answer Lost, in the
// same way.
const (
	Passed Fate = iota
	Cut
	Lost
)

// StartFront starts a front of the server at a URL. It ends with the test.
func StartFront(t testing.TB, server string) *Front {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{pick: func(*http.Request) Fate { return Passed }}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: to.Scheme, Host: to.Host})
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error { return f.answer(r, to.Scheme+"://"+to.Host) },
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, f.spoil(r))
	}))
	t.Cleanup(s.Close)
	f.URL = s.URL
	return f
}

// Pick has pick decide about each request from now on, one at a time.
func (f *Front) Pick(pick func(r *http.Request) Fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pick = pick
}

// lost marks the context of requests whose answer gets lost.
type lost struct{}

func (f *Front) spoil(r *http.Request) *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.pick(r) {
	case Cut:
		r.Body = &half{r.Body, r.ContentLength / 2}
	case Lost:
		r = r.WithContext(context.WithValue(r.Context(), lost{}, true))
	}
	return r
}

// answer loses an answer, or sees that where it sends the client to, with the
// rest of an upload, is the front too.
func (f *Front) answer(r *http.Response, server string) error {
	if r.Request.Context().Value(lost{}) != nil {
		_, err := io.Copy(io.Discard, r.Body)
		return errors.Join(errors.New("the answer is to be lost"), err)
	}
	if rest, ok := strings.CutPrefix(r.Header.Get("Location"), server); ok {
		r.Header.Set("Location", f.URL+rest)
	}
	return nil
}

// half is a body that breaks after n bytes.
type half struct {
	io.ReadCloser
	n int64
}

func (h *half) Read(p []byte) (int, error) {
	if h.n <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := h.ReadCloser.Read(p[:min(int64(len(p)), h.n)])
	h.n -= int64(n)
	return n, err
}
