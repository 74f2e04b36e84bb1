//go:build integration

package gcs

import (
	"testing"

	"walarchive/storage"
	"walarchive/storage/storagetest"
	"walarchive/storage/storagetest/servers"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		start func(t *testing.T) *servers.GCS
	}{
		{"fake-gcs-server", func(t *testing.T) *servers.GCS { return servers.StartFakeGCS(t, nil) }},
		{"fake-gcs-server over TLS", func(t *testing.T) *servers.GCS {
			certificates := servers.NewCertificates(t)
			return servers.StartFakeGCS(t, &certificates)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := c.start(t)
			storagetest.TestBucket(t, func(t *testing.T) storage.Bucket { return open(t, server) })
		})
	}
}

// open opens a new bucket of a server. Lists come in pages of 7 objects, and
// sessions in pieces of 8 MiB.
func open(t *testing.T, s *servers.GCS) *Bucket {
	t.Helper()
	b, err := New(t.Context(), Options{
		Bucket: s.NewBucket(t), Endpoint: s.Endpoint, CAFile: s.CA, Anonymous: true, PartSize: 8 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.page = 7
	return b
}
