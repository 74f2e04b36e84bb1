//go:build integration

package clitest

import (
	"net"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/storage/storagetest/servers"
)

// TestMirrorOnS3 runs the scripts for a directory that is mirrored to S3.
func TestMirrorOnS3(t *testing.T) {
	s := servers.StartVersityGW(t, certificates(t))
	environ := s.Environ()
	environ["BUCKET"] = "s3://" + s.NewBucket(t)
	environ["ENDPOINT"] = s.Endpoint
	environ["CA"] = s.CA
	environ["SILENT"] = "http://" + silent(t)
	run(t, "testdata/mirrors", func(e *testscript.Env) {
		for name, value := range environ {
			e.Setenv(name, value)
		}
	})
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
