//go:build integration

package clitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/cmd/internal/teststores"
	"walarchive/storage/storagetest/servers"
)

// TestStores runs the scripts for stores on each of them. Stores in worse
// trouble are those of pgtest.
func TestStores(t *testing.T) {
	portal := httptest.NewServer(http.HandlerFunc(signIn))
	t.Cleanup(portal.Close)
	for _, kind := range teststores.Kinds() {
		for name, certificates := range map[string]*servers.Certificates{"": nil, " over TLS": certificates(t)} {
			t.Run(kind.Name+name, func(t *testing.T) {
				t.Parallel()
				s := kind.Start(t, certificates)(t)
				run(t, "testdata/stores", func(e *testscript.Env) {
					for name, value := range s.Variables() {
						e.Setenv(name, value)
					}
					e.Setenv("PORTAL", s.Elsewhere(t, portal.URL))
				})
			})
		}
	}
}

// TestLockedStore runs a script in a bucket where nobody can remove an object,
// and deletions only cover it.
func TestLockedStore(t *testing.T) {
	t.Parallel()
	server := servers.StartMinIO(t, nil)
	s := teststores.Locked(t, server)
	bucket, _, _ := strings.Cut(strings.TrimPrefix(s.Settings["storage.url"].(string), "s3://"), "/")
	run(t, "testdata/locked", func(e *testscript.Env) {
		for name, value := range s.Variables() {
			e.Setenv(name, value)
		}
		e.Setenv("UNLOCKED", "storage.url=s3://"+server.NewBucket(t))
		e.Values[intruderKey{}] = intruder(func(object string) error {
			return server.Write(t.Context(), bucket, "deep/down/"+object, []byte("not ours"))
		})
	})
}

func certificates(t *testing.T) *servers.Certificates {
	c := servers.NewCertificates(t)
	return &c
}

// signIn is the page of a portal that answers everything in the same way.
func signIn(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // as far as there is one
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<html><body><p>Please sign in.</p></body></html>")
}
