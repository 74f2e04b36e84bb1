//go:build integration

package s3

import (
	"testing"

	"walarchive/storage"
	"walarchive/storage/storagetest"
	"walarchive/storage/storagetest/servers"
)

func TestConformance(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *servers.S3{
		"versitygw":          func(t *testing.T) *servers.S3 { return servers.StartVersityGW(t, nil) },
		"versitygw over TLS": func(t *testing.T) *servers.S3 { return servers.StartVersityGW(t, certificates(t)) },
		"MinIO":              func(t *testing.T) *servers.S3 { return servers.StartMinIO(t, nil) },
		"MinIO over TLS":     func(t *testing.T) *servers.S3 { return servers.StartMinIO(t, certificates(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			storagetest.TestBucket(t, func(t *testing.T) storage.Bucket { return open(t, server) })
		})
	}
}

func certificates(t *testing.T) *servers.Certificates {
	c := servers.NewCertificates(t)
	return &c
}

// open opens a new bucket of a server. Lists come in pages of 7 objects.
func open(t *testing.T, s *servers.S3) *Bucket {
	t.Helper()
	b := openBucket(t, s, s.NewBucket(t), s.Endpoint)
	b.page = 7
	return b
}

func openBucket(t *testing.T, s *servers.S3, bucket, endpoint string) *Bucket {
	t.Helper()
	for name, value := range s.Environ() {
		t.Setenv(name, value)
	}
	b, err := New(t.Context(), Options{Bucket: bucket, Endpoint: endpoint, CAFile: s.CA})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
