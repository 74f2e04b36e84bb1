package remote

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

func writeFile(t *testing.T, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTransportTrusts(t *testing.T) {
	server := httptest.NewUnstartedServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true // which must not be used
	server.StartTLS()
	defer server.Close()
	ca := writeFile(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))

	get := func(ca string) (*http.Response, error) {
		transport, err := Transport(ca, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer transport.CloseIdleConnections()
		transport.ForceAttemptHTTP2 = true // as client libraries do
		answer, err := (&http.Client{Transport: transport, CheckRedirect: Stay}).Get(server.URL)
		if err == nil {
			err = answer.Body.Close()
		}
		return answer, err
	}
	answer, err := get(ca)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusFound || answer.ProtoMajor != 1 {
		t.Errorf("got %s, %s: want the redirect, by HTTP/1.1", answer.Status, answer.Proto)
	}
	if _, err := get(""); err == nil {
		t.Error("without the CA file: no error")
	}
}

// The time is that of the settings: a server that accepts and says nothing
// would hold a request for ever.
func TestTransportLimitsTLS(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	transport, err := Transport("", time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&http.Client{Transport: transport}).Get(server.URL); err == nil {
		t.Error("a dial within a nanosecond")
	}
	if transport.TLSHandshakeTimeout != time.Nanosecond {
		t.Errorf("TLS has %v", transport.TLSHandshakeTimeout)
	}
}

func TestRoots(t *testing.T) {
	if roots, err := Roots(""); roots != nil || err != nil {
		t.Errorf("without a file: got %v, %v", roots, err)
	}
	for name, file := range map[string]string{
		"no CA file":     filepath.Join(t.TempDir(), "none"),
		"no certificate": writeFile(t, []byte("no PEM")),
	} {
		if _, err := Roots(file); !errors.Is(err, storage.ErrInvalid) || errors.Is(err, storage.ErrNotExist) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// closes notes that it was closed.
type closes struct {
	io.Reader
	closed bool
}

func (c *closes) Close() error { c.closed = true; return nil }

func TestDocument(t *testing.T) {
	body := &closes{Reader: strings.NewReader(strings.Repeat(" ", MaxDocument+1))}
	d := Document(body)
	if n, err := io.Copy(io.Discard, d); n != MaxDocument || err != nil {
		t.Errorf("read %d bytes, %v; want %d", n, err, MaxDocument)
	}
	if err := d.Close(); err != nil || !body.closed {
		t.Errorf("close: %v, closed %v", err, body.closed)
	}
}
