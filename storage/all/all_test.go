package all

import (
	"errors"
	"strings"
	"testing"

	"walarchive/storage"
)

func TestOpeners(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	good := Settings{GCS: GCS{Anonymous: true}, Azure: Azure{Account: "account"}}
	for _, c := range []struct {
		name, url string
		settings  Settings
		want      error
		says      string
	}{
		{"file", "file://" + t.TempDir(), Settings{}, nil, ""},
		{"S3", "s3://bucket/prefix/of/two", good, nil, ""},
		{"S3 without prefix", "s3://bucket", good, nil, ""},
		{"GCS", "gs://bucket/prefix", good, nil, ""},
		{"Azure", "azblob://container/prefix/", good, nil, ""},
		{"no bucket", "s3:///prefix", good, storage.ErrInvalid, "no bucket"},
		{"a port", "s3://minio:9000/bucket", good, storage.ErrInvalid, "no bucket"},
		{"a prefix that climbs", "gs://bucket/a/../b", good, storage.ErrInvalid, "no bucket"},
		{"a parameter", "azblob://container/prefix?sig=secret", good, storage.ErrInvalid, `"sig"`},
		{"a password", "s3://id:secret@bucket/prefix", good, storage.ErrInvalid, "user information"},
		{"a setting is wrong", "s3://bucket", Settings{S3: S3{PartSize: 1}}, storage.ErrInvalid, "part size"},
		{"a setting of another backend is wrong", "gs://bucket", Settings{GCS: GCS{Anonymous: true}, S3: S3{PartSize: 1}}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Openers(c.settings).Open(t.Context(), c.url)
			if !errors.Is(err, c.want) || (b == nil) != (c.want != nil) {
				t.Fatalf("got %v, %v; want error %v", b, err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want %q in it", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%q tells a secret", err)
			}
		})
	}
}
