//go:build integration

package clitest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/storage/storagetest/servers"
)

// store is where a script's archive is: the environment of the programs, and
// the setting by which they are sent elsewhere.
type store struct {
	environ  map[string]string
	endpoint string // a setting
	suffix   string // of its values
}

// TestStores runs the scripts for stores on each of them.
func TestStores(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) store{
		"S3":             func(t *testing.T) store { return onS3(t, servers.StartVersityGW(t, nil)) },
		"S3 over TLS":    func(t *testing.T) store { return onS3(t, servers.StartVersityGW(t, certificates(t))) },
		"S3 by MinIO":    func(t *testing.T) store { return onS3(t, servers.StartMinIO(t, nil)) },
		"GCS":            func(t *testing.T) store { return onGCS(t, nil) },
		"GCS over TLS":   func(t *testing.T) store { return onGCS(t, certificates(t)) },
		"Azure":          func(t *testing.T) store { return onAzure(t, nil) },
		"Azure over TLS": func(t *testing.T) store { return onAzure(t, certificates(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			portal := httptest.NewServer(http.HandlerFunc(signIn))
			t.Cleanup(portal.Close)
			troubles := map[string]string{
				"REFUSING": "http://127.0.0.1:1", "SILENT": "http://" + silent(t), "PORTAL": portal.URL,
			}
			run(t, "testdata/stores", func(e *testscript.Env) {
				for name, value := range s.environ {
					e.Setenv(name, value)
				}
				for name, url := range troubles {
					e.Setenv(name, s.endpoint+"="+url+s.suffix)
				}
			})
		})
	}
}

func certificates(t *testing.T) *servers.Certificates {
	c := servers.NewCertificates(t)
	return &c
}

func onS3(t *testing.T, s *servers.S3) store {
	environ := s.Environ()
	environ["WALARCHIVE_STORAGE_URL"] = "s3://" + s.NewBucket(t) + "/deep/down"
	environ["WALARCHIVE_STORAGE_S3_ENDPOINT"] = s.Endpoint
	environ["WALARCHIVE_STORAGE_S3_CA_FILE"] = s.CA
	return store{environ, "storage.s3.endpoint", ""}
}

func onGCS(t *testing.T, c *servers.Certificates) store {
	s := servers.StartFakeGCS(t, c)
	return store{map[string]string{
		"WALARCHIVE_STORAGE_URL":           "gs://" + s.NewBucket(t) + "/deep/down",
		"WALARCHIVE_STORAGE_GCS_ENDPOINT":  s.Endpoint,
		"WALARCHIVE_STORAGE_GCS_ANONYMOUS": "true",
		"WALARCHIVE_STORAGE_GCS_CA_FILE":   s.CA,
	}, "storage.gcs.endpoint", ""}
}

func onAzure(t *testing.T, c *servers.Certificates) store {
	s := servers.StartAzurite(t, c)
	return store{map[string]string{
		"WALARCHIVE_STORAGE_URL":            "azblob://" + s.NewContainer(t) + "/deep/down",
		"WALARCHIVE_STORAGE_AZURE_ENDPOINT": s.Endpoint,
		"WALARCHIVE_STORAGE_AZURE_ACCOUNT":  s.Account,
		"WALARCHIVE_STORAGE_AZURE_KEY_FILE": s.KeyFile,
		"WALARCHIVE_STORAGE_AZURE_CA_FILE":  s.CA,
	}, "storage.azure.endpoint", "/" + s.Account}
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
