//go:build integration

package teststores

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"walarchive/storage/storagetest/servers"
)

// Kind is a kind of store that a server of its own serves.
type Kind struct {
	Name  string
	Again bool // another kind speaks the same protocol
	// Start starts the server, with c over TLS; it ends with the test. Each call
	// of what it returns makes an empty store there.
	Start func(t testing.TB, c *servers.Certificates) func(testing.TB) Store
}

// Kinds are all kinds of stores but directories.
func Kinds() []Kind {
	return []Kind{{"S3", false, startS3}, {"S3 by MinIO", true, startMinIO}, {"GCS", false, startGCS}, {"Azure", false, startAzure}}
}

func startS3(t testing.TB, c *servers.Certificates) func(testing.TB) Store {
	return onS3(t, servers.StartVersityGW(t, c))
}

func startMinIO(t testing.TB, c *servers.Certificates) func(testing.TB) Store {
	return onS3(t, servers.StartMinIO(t, c))
}

func onS3(t testing.TB, s *servers.S3) func(testing.TB) Store {
	t.Helper()
	file := credentials(t, s)
	return func(t testing.TB) Store { return inBucket(s, s.NewBucket(t), file) }
}

// Locked is a store in a bucket of s that locks objects, and the program's
// settings to do so for an hour.
func Locked(t testing.TB, s *servers.S3) Store {
	t.Helper()
	return inBucket(s, s.NewLockedBucket(t), credentials(t, s)).
		With("storage.s3.retain_mode", "COMPLIANCE").With("storage.s3.retain_for", "1h")
}

func inBucket(s *servers.S3, bucket, credentials string) Store {
	settings := with(s.CA, "storage.s3.ca_file")
	settings["storage.url"] = "s3://" + bucket + "/deep/down"
	settings["storage.s3.endpoint"] = s.Endpoint
	return Store{settings, map[string]string{"AWS_SHARED_CREDENTIALS_FILE": credentials}, "storage.s3.endpoint"}
}

// credentials is a file as the AWS SDK looks for it.
func credentials(t testing.TB, s *servers.S3) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.Secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func startGCS(t testing.TB, c *servers.Certificates) func(testing.TB) Store {
	s := servers.StartFakeGCS(t, c)
	return func(t testing.TB) Store {
		settings := with(s.CA, "storage.gcs.ca_file")
		settings["storage.url"] = "gs://" + s.NewBucket(t) + "/deep/down"
		settings["storage.gcs.endpoint"] = s.Endpoint
		settings["storage.gcs.anonymous"] = true
		return Store{settings, nil, "storage.gcs.endpoint"}
	}
}

func startAzure(t testing.TB, c *servers.Certificates) func(testing.TB) Store {
	s := servers.StartAzurite(t, c)
	return func(t testing.TB) Store {
		settings := with(s.CA, "storage.azure.ca_file")
		settings["storage.url"] = "azblob://" + s.NewContainer(t) + "/deep/down"
		settings["storage.azure.endpoint"] = s.Endpoint
		settings["storage.azure.account"] = s.Account
		settings["storage.azure.key_file"] = s.KeyFile
		return Store{settings, nil, "storage.azure.endpoint"}
	}
}

// with begins settings, with a file of certificates if there is one.
func with(ca, setting string) map[string]any {
	if ca == "" {
		return map[string]any{}
	}
	return map[string]any{setting: ca}
}
