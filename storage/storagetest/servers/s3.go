//go:build integration

package servers

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3 is a started server of the S3 protocol.
type S3 struct {
	Endpoint          string // URL
	AccessKey, Secret string
	CA                string // PEM file; empty: no TLS

	dir string // where it keeps its buckets
}

// NewBucket makes a bucket of a new name.
func (s *S3) NewBucket(t testing.TB) string {
	t.Helper()
	return s.newBucket(t, &s3.CreateBucketInput{})
}

// NewLockedBucket makes a bucket with object lock, and so with versions. It
// locks what it is told to lock.
func (s *S3) NewLockedBucket(t testing.TB) string {
	t.Helper()
	locked := true
	return s.newBucket(t, &s3.CreateBucketInput{ObjectLockEnabledForBucket: &locked})
}

func (s *S3) newBucket(t testing.TB, in *s3.CreateBucketInput) string {
	t.Helper()
	name := "bucket-" + strings.ToLower(rand.Text())
	in.Bucket = &name
	if _, err := s.admin().CreateBucket(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return name
}

// admin is for what the tests do themselves.
func (s *S3) admin() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.Secret, ""),
		HTTPClient:  client(),
	})
}

// Write stores an object as somebody else would.
func (s *S3) Write(ctx context.Context, bucket, name string, content []byte) error {
	_, err := s.admin().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &name, Body: bytes.NewReader(content)})
	return err
}

// client is for requests of the tests' own, which need no trust.
func client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
}

// Environ is what the AWS SDK reads of the environment, so that it finds this
// server's credentials and nothing of the machine's.
func (s *S3) Environ() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": s.AccessKey, "AWS_SECRET_ACCESS_KEY": s.Secret, "AWS_SESSION_TOKEN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
	}
}

// StartVersityGW starts versitygw over a directory; with c over TLS.
func StartVersityGW(t testing.TB, c *Certificates) *S3 {
	t.Helper()
	s := newS3(t, c)
	versions := t.TempDir()
	addr := start(t, func(addr string) *exec.Cmd {
		args := []string{
			"--port", addr, "--region", "us-east-1", "--health", "/health", "--quiet", "--keep-alive",
		}
		if c != nil {
			args = append(args, "--cert", c.Cert, "--key", c.Key)
		}
		cmd := exec.Command(program(t, "versitygw"), append(args, "posix", "--versioning-dir", versions, s.dir)...)
		cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.Secret}
		return cmd
	}, func(addr string) error { return healthy(baseURL(addr, c) + "/health") })
	s.Endpoint = baseURL(addr, c)
	return s
}

// answers reports whether a server of HTTP says anything at all.
func answers(url string) error {
	r, err := client().Get(url)
	if err != nil {
		return err
	}
	return r.Body.Close()
}

func healthy(url string) error {
	r, err := client().Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, r.Status)
	}
	return nil
}

// MinIOKey is the name of the key with which MinIO encrypts what it is asked
// to.
const MinIOKey = "minio-test"

// StartMinIO starts MinIO over a directory; with c over TLS.
func StartMinIO(t testing.TB, c *Certificates) *S3 {
	t.Helper()
	s := newS3(t, c)
	certs := minioCertificates(t, c)
	addr := start(t, func(addr string) *exec.Cmd {
		cmd := exec.Command(program(t, "minio"), "server", "--quiet", "--certs-dir", certs, "--address", addr, s.dir)
		cmd.Env = []string{"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.Secret,
			"MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME=" + certs,
			"MINIO_KMS_SECRET_KEY=" + MinIOKey + ":" + base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])}
		return cmd
	}, func(addr string) error { return healthy(baseURL(addr, c) + "/minio/health/ready") })
	s.Endpoint = baseURL(addr, c)
	return s
}

// minioCertificates is a directory with the certificates under the names that
// MinIO wants; without any, MinIO does not use TLS.
func minioCertificates(t testing.TB, c *Certificates) string {
	t.Helper()
	dir := t.TempDir()
	if c == nil {
		return dir
	}
	for from, to := range map[string]string{c.Cert: "public.crt", c.Key: "private.key"} {
		if err := os.Symlink(from, filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newS3(t testing.TB, c *Certificates) *S3 {
	s := &S3{AccessKey: "walarchive-test", Secret: rand.Text(), dir: t.TempDir()}
	if c != nil {
		s.CA = c.CA
	}
	return s
}

// baseURL is http://addr, or https://addr with certificates.
func baseURL(addr string, c *Certificates) string {
	if c != nil {
		return "https://" + addr
	}
	return "http://" + addr
}
