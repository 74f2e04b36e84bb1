package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"walarchive/storage/remote"
)

// A guard stands between the SDK and the network. It sends requests nowhere
// but to the store, and lets answers through only if they are the store's and
// can neither fill the memory nor move the SDK to repeat something.
type guard struct {
	next     http.RoundTripper
	endpoint *url.URL
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if !g.store(r.URL) {
		return nil, errors.Join(remote.Wrong("an upload is to go on at another server"), closeBody(r))
	}
	r, sent := prepare(r)
	answer, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := check(r, sent, answer); err != nil {
		return nil, errors.Join(err, answer.Body.Close())
	}
	return answer, nil
}

// store reports whether u is at the store. A session's address comes from the
// store itself, and Google's has more than one host.
func (g guard) store(u *url.URL) bool {
	return u.Scheme == g.endpoint.Scheme &&
		(u.Host == g.endpoint.Host || u.Scheme == "https" && strings.HasSuffix(u.Host, ".googleapis.com"))
}

// prepare has the list of a bucket say what it is, which the SDK leaves out,
// and watches how much of a body was sent.
func prepare(r *http.Request) (*http.Request, *sentBody) {
	sent := &sentBody{ReadCloser: http.NoBody, length: r.ContentLength}
	query := r.URL.Query()
	fields := query.Get("fields")
	if fields == "" && r.Body == nil {
		return r, sent
	}
	r = r.Clone(r.Context())
	if fields != "" {
		query.Set("fields", "kind,"+fields)
		r.URL.RawQuery = query.Encode()
	}
	if r.Body != nil && r.Body != http.NoBody {
		sent.ReadCloser = r.Body
		r.Body = sent
	}
	return r, sent
}

// sentBody is a request's body that remembers whether it was read to its end:
// of a known length, net/http may look for that only after the answer.
type sentBody struct {
	io.ReadCloser
	length int64 // 0 or less: unknown
	n      int64
	ended  atomic.Bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err == io.EOF || b.n == b.length {
		b.ended.Store(true)
	}
	return n, err
}

// check refuses what is no answer of the store's to r, and replaces the body
// of what is by one that is bounded.
func check(r *http.Request, sent *sentBody, answer *http.Response) error {
	query := r.URL.Query()
	switch {
	case answer.StatusCode >= 300:
		answer.Body = remote.Document(answer.Body)
		return nil
	case query.Get("alt") == "media":
		return checkMedia(r, answer)
	case r.Method == http.MethodDelete:
		return checkKind(answer, "")
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/o"):
		return checkKind(answer, "storage#objects")
	case r.Method == http.MethodGet:
		return checkKind(answer, "storage#object")
	case query.Get("uploadType") == "resumable" && query.Get("upload_id") == "":
		if answer.Header.Get("Location") == "" {
			return remote.Wrong("the answer to the beginning of an upload has no address")
		}
		return nil
	case answer.Header.Get("X-Http-Status-Code-Override") == "308":
		return nil // a piece is stored, and more are to come
	case !sent.ended.Load() && sent.ReadCloser != http.NoBody:
		return remote.Wrong("the answer came before the object was sent")
	}
	return checkKind(answer, "storage#object")
}

// checkKind reads an answer that must be a document of a kind; "" for nothing
// that could be a page.
func checkKind(answer *http.Response, kind string) error {
	data, err := io.ReadAll(io.LimitReader(answer.Body, remote.MaxDocument+1))
	if err != nil {
		return err
	}
	var document struct{ Kind string }
	switch {
	case len(data) > remote.MaxDocument:
		return remote.Wrong(fmt.Sprintf("the answer has more than %d bytes", remote.MaxDocument))
	case kind == "" && len(data) == 0:
	case json.Unmarshal(data, &document) != nil:
		return remote.Wrong("the answer is no document of Cloud Storage")
	case document.Kind != kind:
		return remote.Wrong(fmt.Sprintf("the answer is of kind %.40q and not %q", document.Kind, kind))
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(data), answer.Body}
	return nil
}

// checkMedia passes content if it has the headers that only the store knows.
func checkMedia(r *http.Request, answer *http.Response) error {
	if answer.Header.Get("X-Goog-Generation") == "" || answer.ContentLength < 0 {
		return remote.Wrong("the answer is no object of a known length")
	}
	if note, ok := r.Context().Value(noteKey{}).(*note); ok {
		answer.Body = noting{answer.Body, note}
	}
	return nil
}

// A note says why the content of a Get ended before its end. For the SDK it
// just ends: of an error it would make another request.
type note struct{ err error }

type noteKey struct{}

func withNote(ctx context.Context) (context.Context, *note) {
	n := new(note)
	return context.WithValue(ctx, noteKey{}, n), n
}

type noting struct {
	io.ReadCloser
	note *note
}

func (b noting) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.note.err = err
		err = io.EOF
	}
	return n, err
}
