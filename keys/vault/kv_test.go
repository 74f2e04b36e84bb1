package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"walarchive/keys"
	"walarchive/keys/keystest"
)

func newKV(t *testing.T, o Options) *KV {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKVConformance(t *testing.T) {
	keystest.TestProvider(t, func(t *testing.T) (keys.Provider, func(string, []byte)) {
		f := newFake(t)
		return newKV(t, f.options(t, "secret")), f.put
	})
}

var key16 = []byte("0123456789abcdef")

// What goes over the wire is what pg_tde sends.
func TestRequestIsLiteral(t *testing.T) {
	tests := []struct {
		name  string
		edit  func(*Options)
		key   string
		line  string
		token []string
		space []string
	}{
		{"plain", nil, "k", "GET /v1/secret/data/k", []string{testToken}, nil},
		{"namespace", func(o *Options) { o.Namespace = "ns1/" }, "k", "GET /v1/secret/data/k", []string{testToken}, []string{"ns1/"}},
		{"Percona's mount", func(o *Options) { o.Mount = "secret/data" }, "k", "GET /v1/secret/data/data/k", []string{testToken}, nil},
		{"mount with slashes", func(o *Options) { o.Mount = "a//b/" }, "k", "GET /v1/a//b//data/k", []string{testToken}, nil},
		{"key with slash", nil, "a/b", "GET /v1/secret/data/a/b", []string{testToken}, nil},
		{"escapes stay", nil, "a%2Fb", "GET /v1/secret/data/a%2Fb", []string{testToken}, nil},
		{"URL with path and slash", func(o *Options) { o.URL += "/proxy/" }, "k", "GET /proxy/v1/secret/data/k", []string{testToken}, nil},
		{"no token", func(o *Options) { o.TokenFile = file(t, "\n") }, "k", "GET /v1/secret/data/k", nil, nil},
		{"token with tail", func(o *Options) { o.TokenFile = file(t, "tok \trest\nmore") }, "k", "GET /v1/secret/data/k", []string{"tok"}, nil},
		{"token of 1100 bytes", func(o *Options) { o.TokenFile = file(t, strings.Repeat("x", 1100)) }, "k", "GET /v1/secret/data/k", []string{strings.Repeat("x", 1023)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			o := f.options(t, "secret")
			if tt.edit != nil {
				tt.edit(&o)
			}
			_, err := newKV(t, o).Key(t.Context(), tt.key)
			if len(f.seen) == 0 {
				t.Fatalf("nothing was sent: %v", err)
			}
			got := f.seen[0]
			if got.line != tt.line {
				t.Errorf("got %s, want %s", got.line, tt.line)
			}
			if h := got.header["X-Vault-Token"]; fmt.Sprint(h) != fmt.Sprint(tt.token) {
				t.Errorf("another token")
			}
			if h := got.header["X-Vault-Namespace"]; fmt.Sprint(h) != fmt.Sprint(tt.space) {
				t.Errorf("namespace %q, want %q", h, tt.space)
			}
		})
	}
}

func TestLongAddressIsCutAsPgTDECuts(t *testing.T) {
	f := newFake(t)
	name := strings.Repeat("n", 600)
	p := newKV(t, f.options(t, "secret"))
	if _, err := p.Key(t.Context(), name); !errors.Is(err, keys.ErrNoKey) {
		t.Error(err)
	}
	if got := f.URL + strings.TrimPrefix(f.seen[0].line, "GET "); len(got) != 511 {
		t.Errorf("the address has %d bytes, want 511", len(got))
	}
	if _, err := p.Create(t.Context(), name); !errors.Is(err, keys.ErrName) {
		t.Errorf("Create: %v, want ErrName", err)
	}
}

// The environment of a shell that also talks to Vault changes nothing.
func TestEnvironmentDoesNotCount(t *testing.T) {
	f := newFake(t)
	f.put("k", key16)
	for name, value := range map[string]string{
		"VAULT_ADDR": "https://127.0.0.1:1", "VAULT_TOKEN": "other", "VAULT_NAMESPACE": "other",
		"VAULT_HEADERS": `{"X-Other":"1"}`, "VAULT_WRAP_TTL": "60", "VAULT_SKIP_VERIFY": "1",
		"HTTPS_PROXY": "http://127.0.0.1:1", "VAULT_HTTP_PROXY": "http://127.0.0.1:1", "VAULT_MAX_RETRIES": "9",
	} {
		t.Setenv(name, value)
	}
	o := f.options(t, "secret")
	if _, err := newKV(t, o).Key(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"X-Vault-Namespace", "X-Other", "X-Vault-Wrap-Ttl"} {
		if v := f.seen[0].header.Get(h); v != "" {
			t.Errorf("%s: %s was sent", h, v)
		}
	}
	o.CA = ""
	if _, err := newKV(t, o).Key(t.Context(), "k"); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("VAULT_SKIP_VERIFY: %v, want ErrUnavailable", err)
	}
}

func TestAnswers(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString(key16)
	tests := []struct {
		name   string
		status int
		body   string
		want   error // nil: a key
		text   string
	}{
		{"key", 200, `{"data":{"data":{"key":"` + b64 + `"}}}`, nil, ""},
		{"white space in base64", 200, `{"data":{"data":{"key":" ` + b64[:8] + `\r\n\t` + b64[8:] + `\n"}}}`, nil, ""},
		{"other fields", 201, `{"key":1,"data":{"key":"x","data":{"Key":7,"key":"` + b64 + `","KEY":""},"metadata":[]},"auth":null}`, nil, ""},
		{"last of repeated fields", 200, `{"data":{"data":{"key":"x","key":"` + b64 + `"}}}`, nil, ""},
		{"other case", 200, `{"data":{"data":{"Key":"` + b64 + `"}}}`, keys.ErrBadKey, `field "key"`},
		{"other depth", 200, `{"data":{"key":"` + b64 + `"}}`, keys.ErrBadKey, "of version 2"},
		{"null", 200, `{"data":{"data":{"key":null}}}`, keys.ErrBadKey, ""},
		{"number", 200, `{"data":{"data":{"key":12}}}`, keys.ErrBadKey, ""},
		{"empty", 200, `{"data":{"data":{"key":""}}}`, keys.ErrBadKey, "16 or 32"},
		{"24 bytes", 200, `{"data":{"data":{"key":"` + strings.Repeat("A", 32) + `"}}}`, keys.ErrBadKey, "not 24"},
		{"33 bytes", 200, `{"data":{"data":{"key":"` + strings.Repeat("A", 44) + `"}}}`, keys.ErrBadKey, "not 33"},
		{"no padding", 200, `{"data":{"data":{"key":"` + strings.TrimRight(b64, "=") + `"}}}`, keys.ErrBadKey, "not base64"},
		{"URL alphabet", 200, `{"data":{"data":{"key":"` + strings.Repeat("_", 22) + `=="}}}`, keys.ErrBadKey, "not base64"},
		{"no JSON", 200, `<html>Welcome</html>`, keys.ErrBadKey, "not JSON"},
		{"half of JSON", 200, `{"data":{"data":{"key":"` + b64 + `"}`, keys.ErrBadKey, "not JSON"},
		{"nothing", 204, ``, keys.ErrBadKey, ""},
		{"missing", 404, `{"errors":[]}`, keys.ErrNoKey, ""},
		{"deleted", 404, `{"data":{"data":null,"metadata":{"deletion_time":"2026-01-01T00:00:00Z"}}}`, keys.ErrNoKey, "deleted"},
		{"no engine", 404, `{"errors":["no handler for route \"secret/data/k\". route entry not found."]}`, keys.ErrUnavailable, "no handler"},
		{"no namespace", 404, `{"errors":["namespace not found"]}`, keys.ErrUnavailable, "namespace"},
		{"not Vault", 404, `{"detail":"Not Found"}`, keys.ErrUnavailable, "404 Not Found"},
		{"proxy's page", 404, `<html>planted text`, keys.ErrUnavailable, "404 Not Found"},
		{"denied", 403, `{"errors":["permission denied"]}`, fs.ErrPermission, "permission denied"},
		{"unauthorized", 401, ``, fs.ErrPermission, "401 Unauthorized"},
		{"no token", 400, `{"errors":["missing client token"]}`, fs.ErrPermission, ""},
		{"bad request", 400, `{"errors":["oh"]}`, keys.ErrUnavailable, "400 Bad Request: oh"},
		{"behind", 412, `{"errors":["required index state not present"]}`, keys.ErrUnavailable, "412"},
		{"rate limit", 429, `{"errors":["request path \"secret\": rate limit quota exceeded"]}`, keys.ErrUnavailable, "rate limit quota"},
		{"standby", 473, ``, keys.ErrUnavailable, "473"},
		{"trouble", 500, `{"errors":["1 error occurred:\n\t* \u001b[31minternal error\n\n"]}`, keys.ErrUnavailable, "1 error occurred: * [31minternal error"},
		{"gateway", 502, `<html>Bad Gateway</html>`, keys.ErrUnavailable, "502 Bad Gateway"},
		{"sealed", 503, `{"errors":["Vault is sealed"]}`, keys.ErrUnavailable, "sealed"},
		{"echo of the token", 500, `{"errors":["no such token: ` + testToken + `"]}`, keys.ErrUnavailable, "(hidden)"},
		{"too long", 200, strings.Repeat(" ", maxAnswer+1), keys.ErrUnavailable, "longer"},
		{"lonely redirect", 302, ``, keys.ErrUnavailable, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := newKV(t, answering(t, tt.status, tt.body)).Key(t.Context(), "k")
			if tt.want == nil {
				if err != nil || !bytes.Equal(key.Bytes(), key16) {
					t.Errorf("got another key, or error %v", err)
				}
				return
			}
			checkError(t, err, tt.want, tt.text)
			if !key.IsZero() {
				t.Error("got a key along with the error")
			}
		})
	}
}

// checkError checks that err is of one kind only and shows no secret.
func checkError(t *testing.T, err, want error, text string) {
	t.Helper()
	for _, kind := range []error{keys.ErrNoKey, keys.ErrUnavailable, keys.ErrBadKey, fs.ErrPermission, keys.ErrName, keys.ErrKeyExists} {
		if got := errors.Is(err, kind); got != (kind == want) {
			t.Errorf("%v: is %q: %v", err, kind, got)
		}
	}
	var e *keys.Error
	if !errors.As(err, &e) || e.Hint() == "" {
		t.Errorf("%v is no *keys.Error with a hint", err)
		return
	}
	full := fmt.Sprintf("%v %+v %s", err, e, e.Hint())
	if !strings.Contains(full, text) {
		t.Errorf("%q does not say %q", full, text)
	}
	if strings.Contains(full, "planted") || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("shows a secret, or more than a line: %q", full)
	}
}

func TestConnectionFailures(t *testing.T) {
	ok := `{"data":{"data":{"key":"` + base64.StdEncoding.EncodeToString(key16) + `"}}}`
	gone := answering(t, 200, ok)
	gone.URL = "https://127.0.0.1:1"
	stranger := answering(t, 200, ok)
	stranger.CA = ""
	otherName := answering(t, 200, ok)
	otherName.URL = strings.Replace(otherName.URL, "127.0.0.1", "localhost", 1)
	noCA := answering(t, 200, ok)
	noCA.CA = file(t, "no certificate")
	missingCA := answering(t, 200, ok)
	missingCA.CA += "x"
	missingToken := answering(t, 200, ok)
	missingToken.TokenFile += "x"
	badToken := answering(t, 200, ok)
	badToken.TokenFile = file(t, "planted\x01token")
	fifo := answering(t, 200, ok)
	fifo.TokenFile = t.TempDir()
	tests := []struct {
		name string
		o    Options
		text string
	}{
		{"nobody listens", gone, "connection refused"},
		{"certificate of a stranger", stranger, "certificate"},
		{"certificate for another name", otherName, "localhost"},
		{"CA file without certificate", noCA, "no PEM certificate"},
		{"CA file missing", missingCA, "no such file"},
		{"token file missing", missingToken, "no such file"},
		{"token file of no text", badToken, "holds no token"},
		{"token file no file", fifo, "not a regular file"},
		{"connection dropped", serving(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "EOF"},
		{"connection dropped in the answer", serving(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			answers(w, 200, ok)
		}), "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newKV(t, tt.o).Key(t.Context(), "k")
			checkError(t, err, keys.ErrUnavailable, tt.text)
		})
	}
}

func TestSlowAnswerEndsWithTheCaller(t *testing.T) {
	stop := make(chan struct{})
	o := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	})
	defer close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := newKV(t, o).Key(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTokenFileIsReadAgain(t *testing.T) {
	f := newFake(t)
	f.put("k", key16)
	o := f.options(t, "secret")
	p := newKV(t, o)
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(o.TokenFile, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("expired")
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, fs.ErrPermission, "permission denied")
	if len(f.seen) != 1 {
		t.Errorf("asked %d times with one token", len(f.seen))
	}
	write(testToken)
	if _, err := p.Key(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}

// A standby may send on to the active node; never out of TLS.
func TestRedirect(t *testing.T) {
	f := newFake(t)
	f.put("k", key16)
	o := serving(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, f.URL+r.RequestURI, http.StatusTemporaryRedirect)
	})
	p := newKV(t, o)
	if key, err := p.Key(t.Context(), "k"); err != nil || !bytes.Equal(key.Bytes(), key16) {
		t.Errorf("got another key, or error %v", err)
	}
	if key, err := p.Create(t.Context(), "new"); err != nil || f.secrets["new"] != base64.StdEncoding.EncodeToString(key.Bytes()) {
		t.Errorf("Create: another key was stored, or error %v", err)
	}
	down := serving(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http"+strings.TrimPrefix(f.URL, "https")+r.RequestURI, http.StatusTemporaryRedirect)
	})
	_, err := newKV(t, down).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "downgrade")
}

func TestNames(t *testing.T) {
	f := newFake(t)
	p := newKV(t, f.options(t, "secret"))
	for _, name := range []string{"", ".", "..", "a/../b", "a b", "a\tb", "a\x00", "a%zz"} {
		_, err := p.Key(t.Context(), name)
		checkError(t, err, keys.ErrName, "")
	}
	if len(f.seen) != 0 {
		t.Errorf("asked for %s", f.seen[0].line)
	}
}

func TestCreateOverADeletedKey(t *testing.T) {
	o := answering(t, 400, `{"errors":["check-and-set parameter did not match the current version"]}`)
	_, err := newKV(t, o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrKeyExists, "deleted key")
	o = answering(t, 400, `{"errors":["something else"]}`)
	_, err = newKV(t, o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "something else")
}

func FuzzSecret(f *testing.F) {
	f.Add([]byte(`{"data":{"data":{"key":"AAECAwQFBgcICQoLDA0ODw=="},"metadata":{"version":1}}}`))
	f.Add([]byte(`{"data":{"data":null,"metadata":{"deletion_time":"2026-11-22T03:34:24.479284574Z","destroyed":false,"version":1}}}`))
	f.Add([]byte(`{"errors":["no handler for route"]}`))
	f.Add([]byte(`{"data":{"ciphertext":"vault:v1:AAAA","plaintext":"AAAA"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := parseSecret(b)
		if n := len(key.Bytes()); err == nil && n != 16 && n != 32 || err != nil && (n != 0 || !errors.Is(err, keys.ErrBadKey)) {
			t.Errorf("a key of %d bytes, error %v", n, err)
		}
		isVault(b)
		parseDeleted(b)
		textMember(b, "ciphertext")
		if l := newLogin(&Options{Auth: AuthCert}); l.take(b) == nil && l.token == "" {
			t.Error("a login without token")
		}
	})
}
