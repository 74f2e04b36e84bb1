//go:build integration

package s3

import (
	"strings"
	"testing"

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
