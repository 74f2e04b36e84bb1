//go:build integration

package servers

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// GCS is a started server of Cloud Storage's JSON API. It asks for no
// credentials and keeps objects in memory.
type GCS struct {
	Endpoint string // URL
	CA       string // PEM file; empty: no TLS

	client  *http.Client
	buckets atomic.Int64
}

// StartFakeGCS starts fake-gcs-server; with c over TLS.
func StartFakeGCS(t testing.TB, c *Certificates) *GCS {
	t.Helper()
	s := &GCS{client: insecure()}
	if c != nil {
		s.CA = c.CA
	}
	addr := start(t, func(addr string) *exec.Cmd {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{
			"-host", host, "-port", port, "-public-host", addr, "-external-url", baseURL(addr, c),
			"-backend", "memory", "-log-level", "error", "-scheme", "http",
		}
		if c != nil {
			args = append(args, "-scheme", "https", "-cert-location", c.Cert, "-private-key-location", c.Key)
		}
		return exec.Command(program(t, "fakegcs"), args...)
	}, func(addr string) error {
		return s.call(http.MethodGet, baseURL(addr, c)+"/storage/v1/b?project=test", "")
	})
	s.Endpoint = baseURL(addr, c)
	return s
}

// NewBucket makes a bucket.
func (s *GCS) NewBucket(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", s.buckets.Add(1))
	if err := s.call(http.MethodPost, s.Endpoint+"/storage/v1/b?project=test", `{"name":"`+name+`"}`); err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *GCS) call(method, url, body string) error {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return nil
}

// insecure is a client for the tests' own requests to servers.
func insecure() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
}
