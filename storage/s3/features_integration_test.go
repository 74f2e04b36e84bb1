//go:build integration

package s3

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"walarchive/storage"
	"walarchive/storage/storagetest/servers"
)

// bodies are stored in one request and in parts.
var bodies = map[string]struct {
	size  int
	sized bool
}{
	"whole":    {1000, true},
	"in parts": {minPart + 1000, false},
}

// put stores n bytes as "object", from a body that tells its size if sized,
// and asks the store what it has.
func put(t *testing.T, b *Bucket, n int, sized bool) (head *s3.HeadObjectOutput, content []byte) {
	t.Helper()
	content = bytes.Repeat([]byte("content!"), n/8)
	var body io.ReadSeeker = bytes.NewReader(content)
	if !sized {
		body = struct{ io.ReadSeeker }{body}
	}
	if err := b.Put(t.Context(), "object", body); err != nil {
		t.Fatal(err)
	}
	name := "object"
	head, err := b.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.o.Bucket, Key: &name, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	return head, content
}

// with is a new bucket of a server with options.
func with(t *testing.T, s *servers.S3, bucket string, o Options) *Bucket {
	t.Helper()
	for name, value := range s.Environ() {
		t.Setenv(name, value)
	}
	o.Bucket, o.Endpoint, o.PartSize = bucket, s.Endpoint, minPart
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A locked object stays: a deletion covers it, and the name is free for
// another, but its version is there until its time is over.
func TestObjectLock(t *testing.T) {
	for name, server := range lockers(t) {
		for _, mode := range []string{"GOVERNANCE", "COMPLIANCE"} {
			for kind, c := range bodies {
				t.Run(name+" "+mode+" "+kind, func(t *testing.T) {
					b := with(t, server, server.NewLockedBucket(t), Options{RetainMode: mode, RetainFor: time.Hour})
					head, content := put(t, b, c.size, c.sized)
					wantLocked(t, b, head, mode)
					if err := b.Delete(t.Context(), "object"); err != nil {
						t.Errorf("delete: %v", err)
					}
					if _, err := b.Stat(t.Context(), "object"); !errors.Is(err, storage.ErrNotExist) {
						t.Errorf("after delete: got %v, want ErrNotExist", err)
					}
					err := b.Put(t.Context(), "object", bytes.NewReader([]byte("another")))
					if name == "versitygw" && errors.Is(err, storage.ErrExist) {
						err = nil // it takes the marker of a deletion for an object, as S3 does not
					}
					if err != nil {
						t.Errorf("put where one was deleted: %v", err)
					}
					wantVersion(t, b, head.VersionId, content)
				})
			}
		}
	}
}

// wantLocked: nobody can delete that version of the object, for an hour.
func wantLocked(t *testing.T, b *Bucket, head *s3.HeadObjectOutput, mode string) {
	t.Helper()
	if string(head.ObjectLockMode) != mode || head.ObjectLockRetainUntilDate == nil {
		t.Fatalf("the object is locked by %q until %v", head.ObjectLockMode, head.ObjectLockRetainUntilDate)
	}
	if left := time.Until(*head.ObjectLockRetainUntilDate); left < 59*time.Minute || left > time.Hour {
		t.Errorf("it is locked for %v, want an hour", left)
	}
	name := "object"
	_, err := b.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.o.Bucket, Key: &name, VersionId: head.VersionId})
	if err == nil {
		t.Error("the locked version could be deleted")
	}
}

// wantVersion: that version of the object has its content still.
func wantVersion(t *testing.T, b *Bucket, version *string, want []byte) {
	t.Helper()
	name := "object"
	out, err := b.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.o.Bucket, Key: &name, VersionId: version})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(out.Body); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the locked version has %d bytes, %v; want %d", got.Len(), err, len(want))
	}
}

// lockers are the servers that know object lock.
func lockers(t *testing.T) map[string]*servers.S3 {
	return map[string]*servers.S3{"versitygw": servers.StartVersityGW(t, nil), "MinIO": servers.StartMinIO(t, nil)}
}

// A bucket without object lock takes no objects that are to be locked.
func TestLockWithoutLockedBucket(t *testing.T) {
	for name, server := range lockers(t) {
		t.Run(name, func(t *testing.T) {
			b := with(t, server, server.NewBucket(t), Options{RetainMode: "GOVERNANCE", RetainFor: time.Hour})
			err := b.Put(t.Context(), "object", bytes.NewReader([]byte("content")))
			var h interface{ Hint() string }
			if !errors.Is(err, storage.ErrInvalid) || !errors.As(err, &h) || !strings.Contains(h.Hint(), "created with it") {
				t.Errorf("put: got %v", err)
			}
		})
	}
}

// What the store does with objects is as the settings say.
func TestStoredAsSet(t *testing.T) {
	server := servers.StartMinIO(t, nil)
	for name, c := range map[string]struct {
		o          Options
		class      types.StorageClass
		encryption types.ServerSideEncryption
		key        string
	}{
		"class":            {o: Options{StorageClass: "REDUCED_REDUNDANCY"}, class: "REDUCED_REDUNDANCY"},
		"encrypted":        {o: Options{Encryption: "AES256"}, encryption: "AES256"},
		"encrypted by KMS": {o: Options{Encryption: "aws:kms", EncryptionKey: servers.MinIOKey}, encryption: "aws:kms", key: servers.MinIOKey},
	} {
		for kind, size := range bodies {
			t.Run(name+" "+kind, func(t *testing.T) {
				b := with(t, server, server.NewBucket(t), c.o)
				head, content := put(t, b, size.size, size.sized)
				if head.StorageClass != c.class || head.ServerSideEncryption != c.encryption {
					t.Errorf("stored as class %q, encryption %q; want %q, %q", head.StorageClass, head.ServerSideEncryption, c.class, c.encryption)
				}
				if key := head.SSEKMSKeyId; c.key != "" && (key == nil || *key != "arn:aws:kms:"+c.key) {
					t.Errorf("encrypted with key %v, want %s", key, c.key)
				}
				if got, err := storage.ReadAll(t.Context(), b, "object", int64(len(content))); err != nil || !bytes.Equal(got, content) {
					t.Errorf("got %d bytes, %v; want %d", len(got), err, len(content))
				}
			})
		}
	}
}
