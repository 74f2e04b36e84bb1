//go:build integration

package s3

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"walarchive/storage"
	"walarchive/storage/storagetest/servers"
)

func TestFaults(t *testing.T) {
	s := servers.StartVersityGW(t, nil)
	bucket := s.NewBucket(t)
	servers.TestFaults(t, strings.TrimPrefix(s.Endpoint, "http://"), func(t *testing.T, addr string) storage.Bucket {
		return openBucket(t, s, bucket, "http://"+addr)
	})
}

// wantNoUploads: no parts are left behind, which cost and no list shows.
func wantNoUploads(t *testing.T, b *Bucket) {
	t.Helper()
	out, err := b.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &b.o.Bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range out.Uploads {
		t.Errorf("an upload of %s is left behind", *u.Key)
	}
}

func TestUploads(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *servers.S3{
		"versitygw": func(t *testing.T) *servers.S3 { return servers.StartVersityGW(t, nil) },
		"MinIO":     func(t *testing.T) *servers.S3 { return servers.StartMinIO(t, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			bucket := s.NewBucket(t)
			servers.TestUploads(t, s.Endpoint, servers.Uploads{
				Piece: func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.Query().Has("partNumber") },
				Last:  func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") },
			}, func(t *testing.T, base string) storage.Bucket { return openBucket(t, s, bucket, base) })
			wantNoUploads(t, openBucket(t, s, bucket, s.Endpoint))
		})
	}
}
