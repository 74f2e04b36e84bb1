package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const mirrored = sample + `
[storage]
url = "file:///srv/wal"
quorum = 2
[storage.s3]
storage_class = "STANDARD_IA"
[[storage.mirror]]
url = "s3://there/wal"
s3.endpoint = "https://there.example"
s3.part_size = 8
[[storage.mirror]]
url = "gs://elsewhere"
[storage.mirror.gcs]
retain_mode = "Locked"
`

// mirroredFile is mirrored without the [storage] of sample.
func mirroredFile(t *testing.T) string {
	return write(t, strings.Replace(mirrored, "[storage]\nurl = \"file:///srv/wal\"\n", "", 1))
}

// A mirror's settings are its own: it has nothing of the first store's.
func TestMirrorsFromFile(t *testing.T) {
	c, err := Load(Sources{File: mirroredFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	one, two := defaults().Storage.Store, defaults().Storage.Store
	one.URL, one.S3.Endpoint, one.S3.PartSize = "s3://there/wal", "https://there.example", 8
	two.URL, two.GCS.RetainMode = "gs://elsewhere", "Locked"
	if want := []Store{one, two}; !reflect.DeepEqual(c.Storage.Mirrors, want) {
		t.Errorf("got  %+v\nwant %+v", c.Storage.Mirrors, want)
	}
	if c.Storage.Quorum != 2 || c.Storage.S3.StorageClass != "STANDARD_IA" {
		t.Errorf("got %+v", c.Storage)
	}
}

func TestMirrorsFromElsewhere(t *testing.T) {
	c, err := Load(Sources{
		File:    mirroredFile(t),
		Environ: []string{"WALARCHIVE_STORAGE_MIRROR_1_S3_REGION=eu-west-1", "WALARCHIVE_STORAGE_MIRROR_3_URL=azblob://third"},
		Set:     []string{"storage.mirror.2.url=file:///mnt/second"},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := c.Storage.Mirrors
	if len(m) != 3 || m[0].S3.Region != "eu-west-1" || m[0].URL != "s3://there/wal" || m[1].URL != "file:///mnt/second" || m[2].URL != "azblob://third" {
		t.Errorf("got %+v", m)
	}
}

func TestMirrorsRefused(t *testing.T) {
	for _, c := range []struct {
		name, text, where, says string
	}{
		{"unknown setting", "[[storage.mirror]]\nurl = \"s3://x\"\nregoin = \"x\"", ":17", "unknown setting storage.mirror.1.regoin"},
		{"unknown setting of a kind", "[[storage.mirror]]\nurl = \"s3://x\"\ns3.regoin = \"x\"", ":17", "unknown setting storage.mirror.1.s3.regoin"},
		{"time limits are for all", "[[storage.mirror]]\nurl = \"s3://x\"\nconnect_timeout = \"1s\"", ":17", "unknown setting storage.mirror.1.connect_timeout"},
		{"wrong value", "[[storage.mirror]]\nurl = \"nowhere\"", ":16", "storage.mirror.1.url"},
		{"no table", "[storage.mirror]\nurl = \"s3://x\"", "", "unknown setting storage.mirror"},
		{"no URL", "[[storage.mirror]]\ns3.region = \"x\"", "", "storage.mirror.1.url is not set"},
		{"the first store again", "[[storage.mirror]]\nurl = \"file:///srv/wal\"", ":16", "another store has the same URL"},
		{"twice", "[[storage.mirror]]\nurl = \"s3://x\"\n[[storage.mirror]]\nurl = \"s3://x\"", ":18", "another store has the same URL"},
		{"too many", strings.Repeat("[[storage.mirror]]\nurl = \"s3://x\"\n", 9), ":31", "9 mirrors are more than 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(Sources{File: write(t, sample+c.text)})
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Reason, c.says) || !strings.HasSuffix(e.Where, c.where) {
				t.Errorf("got %v, want %q at %q", err, c.says, c.where)
			}
		})
	}
}

// One URL can name buckets at two addresses.
func TestMirrorOfTheSameNameElsewhere(t *testing.T) {
	if _, err := Load(Sources{File: write(t, sample), Set: []string{
		"storage.url=s3://wal", "storage.mirror.1.url=s3://wal", "storage.mirror.1.s3.endpoint=https://there.example",
	}}); err != nil {
		t.Error(err)
	}
}

func TestQuorumOfTooMany(t *testing.T) {
	_, err := Load(Sources{File: mirroredFile(t), Set: []string{"storage.quorum=4"}})
	if err == nil || !strings.Contains(err.Error(), "4 is more than the 3 stores") {
		t.Errorf("got %v", err)
	}
}
