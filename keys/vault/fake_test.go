package vault

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"walarchive/crypt"
)

const testToken = "planted-token-5d0c"

// fake is a service in memory: a KV engine at "secret", a Transit engine at
// "transit". Its answers are those of OpenBao 2.7. It notes every request.
type fake struct {
	*httptest.Server

	mu      sync.Mutex
	secrets map[string]string    // by name: base64
	keys    map[string]crypt.Key // by name
	newer   int                  // versions of each key behind the first
	seen    []seen
}

// seen is a request as it came.
type seen struct {
	line   string // method and address
	header http.Header
	body   string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{secrets: map[string]string{}, keys: map[string]crypt.Key{}}
	f.Server = httptest.NewTLSServer(f)
	t.Cleanup(f.Close)
	return f
}

// options lead to the server, with a token in a file.
func (f *fake) options(t *testing.T, mount string) Options {
	t.Helper()
	return Options{URL: f.URL, Mount: mount, CA: caFile(t, f.Server), TokenFile: file(t, testToken+"\n")}
}

func caFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	return file(t, "-----BEGIN CERTIFICATE-----\n"+base64.StdEncoding.EncodeToString(s.Certificate().Raw)+"\n-----END CERTIFICATE-----\n")
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// put stores a key behind the provider's back.
func (f *fake) put(name string, key []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets[name] = base64.StdEncoding.EncodeToString(key)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	f.seen = append(f.seen, seen{r.Method + " " + r.RequestURI, r.Header, string(body)})
	if r.Header.Get("X-Vault-Token") != testToken {
		answers(w, 403, `{"errors":["permission denied"]}`)
		return
	}
	engine, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	what, name, _ := strings.Cut(rest, "/")
	switch {
	case engine == "secret" && what == "data" && r.Method == http.MethodGet:
		f.read(w, name)
	case engine == "secret" && what == "data":
		f.create(w, name, body)
	case engine == "transit" && what == "keys" && r.Method == http.MethodGet:
		f.inspect(w, name)
	case engine == "transit" && what == "keys":
		f.keys[name], _ = crypt.RandomKey(rand.Reader)
		f.inspect(w, name)
	case engine == "transit":
		f.transit(w, what, name, body)
	default:
		answers(w, 404, `{"errors":["no handler for route \"x\". route entry not found."]}`)
	}
}

func answers(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (f *fake) read(w http.ResponseWriter, name string) {
	text, ok := f.secrets[name]
	if !ok {
		answers(w, 404, `{"errors":[]}`)
		return
	}
	answers(w, 200, fmt.Sprintf(`{"data":{"data":{"key":%q},"metadata":{"version":1}}}`, text))
}

func (f *fake) create(w http.ResponseWriter, name string, body []byte) {
	var b struct {
		Options struct{ CAS *int }
		Data    map[string]string
	}
	_, taken := f.secrets[name]
	if err := json.Unmarshal(body, &b); err != nil || b.Options.CAS == nil || *b.Options.CAS != 0 || taken {
		answers(w, 400, `{"errors":["check-and-set parameter did not match the current version"]}`)
		return
	}
	f.secrets[name] = b.Data["key"]
	answers(w, 200, `{"data":{"version":1}}`)
}

func (f *fake) inspect(w http.ResponseWriter, name string) {
	if _, ok := f.keys[name]; !ok {
		answers(w, 404, `{"errors":[]}`)
		return
	}
	answers(w, 200, `{"data":{"type":"aes256-gcm96","derived":false}}`)
}

// transit encrypts as the engine does, but for the cipher.
func (f *fake) transit(w http.ResponseWriter, what, name string, body []byte) {
	var in struct{ Plaintext, Ciphertext string }
	key, ok := f.keys[name]
	if err := json.Unmarshal(body, &in); err != nil || !ok {
		answers(w, 400, `{"errors":["encryption key not found"]}`)
		return
	}
	if what == "encrypt" {
		b, _ := base64.StdEncoding.DecodeString(in.Plaintext)
		f.encrypted(w, b, key)
		return
	}
	version, text, _ := strings.Cut(strings.TrimPrefix(in.Ciphertext, "vault:v"), ":")
	b, err := base64.StdEncoding.DecodeString(text)
	if n, _ := strconv.Atoi(version); n < 1 || n > 1+f.newer || err != nil || len(b) != 60 {
		answers(w, 400, `{"errors":["invalid ciphertext: version is too new"]}`)
		return
	}
	plain, _ := crypt.NewKey(xor(b[12:44], key))
	if string(b[:12]) != "nonce-nonce-" || string(tag(plain, key)) != string(b[44:]) {
		answers(w, 400, `{"errors":["cipher: message authentication failed"]}`)
		return
	}
	if what == "rewrap" {
		f.encrypted(w, plain.Bytes(), key)
		return
	}
	answers(w, 200, fmt.Sprintf(`{"data":{"plaintext":%q}}`, base64.StdEncoding.EncodeToString(plain.Bytes())))
}

func (f *fake) encrypted(w http.ResponseWriter, b []byte, key crypt.Key) {
	pad, _ := crypt.NewKey(b)
	box := append(append([]byte("nonce-nonce-"), xor(b, key)...), tag(pad, key)...)
	answers(w, 200, fmt.Sprintf(`{"data":{"ciphertext":"vault:v%d:%s"}}`, 1+f.newer, base64.StdEncoding.EncodeToString(box)))
}

func xor(b []byte, k crypt.Key) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ k.Bytes()[i]
	}
	return out
}

func tag(k, under crypt.Key) []byte { return under.Derive(k.Bytes(), "tag").Bytes()[:16] }

// answering is a server that gives one answer to everything.
func answering(t *testing.T, status int, body string) Options {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, _ *http.Request) { answers(w, status, body) })
}

func serving(t *testing.T, handle http.HandlerFunc) Options {
	t.Helper()
	s := httptest.NewTLSServer(handle)
	t.Cleanup(s.Close)
	return Options{URL: s.URL, Mount: "secret", CA: caFile(t, s), TokenFile: file(t, testToken)}
}
