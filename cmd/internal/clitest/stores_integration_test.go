//go:build integration

package clitest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/cmd/internal/teststores"
	"walarchive/storage/storagetest/servers"
)

// TestStores runs the scripts for stores on each of them.
func TestStores(t *testing.T) {
	portal := httptest.NewServer(http.HandlerFunc(signIn))
	t.Cleanup(portal.Close)
	troubles := map[string]string{
		"REFUSING": "http://127.0.0.1:1", "SILENT": "http://" + silent(t), "PORTAL": portal.URL,
	}
	for _, kind := range teststores.Kinds() {
		for name, certificates := range map[string]*servers.Certificates{"": nil, " over TLS": certificates(t)} {
			t.Run(kind.Name+name, func(t *testing.T) {
				t.Parallel()
				s := kind.Start(t, certificates)(t)
				run(t, "testdata/stores", func(e *testscript.Env) {
					for name, value := range s.Variables() {
						e.Setenv(name, value)
					}
					for name, url := range troubles {
						e.Setenv(name, s.Elsewhere(t, url))
					}
				})
			})
		}
	}
}

func certificates(t *testing.T) *servers.Certificates {
	c := servers.NewCertificates(t)
	return &c
}

// silent is the address of a server that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // ends what accepts
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() }) // the other side has gone
		}
	}()
	return l.Addr().String()
}

// signIn is the page of a portal that answers everything in the same way.
func signIn(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // as far as there is one
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<html><body><p>Please sign in.</p></body></html>")
}
