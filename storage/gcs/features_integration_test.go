//go:build integration

package gcs

import (
	"io"
	"strings"
	"testing"

	"walarchive/storage/storagetest/servers"
)

// Objects are of the class that the settings ask for, whether they are stored
// in one request or in a session.
func TestStorageClass(t *testing.T) {
	server := servers.StartFakeGCS(t, nil)
	b, err := New(t.Context(), Options{
		Bucket: server.NewBucket(t), Endpoint: server.Endpoint, Anonymous: true, StorageClass: "NEARLINE", PartSize: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("x", 3<<20)
	for name, body := range map[string]io.ReadSeeker{
		"whole":   strings.NewReader(content),
		"session": struct{ io.ReadSeeker }{strings.NewReader(content)}, // of a size that is not known
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.Put(t.Context(), name, body); err != nil {
				t.Fatal(err)
			}
			attrs, err := b.object(name).Attrs(t.Context())
			if err != nil || attrs.StorageClass != "NEARLINE" || attrs.Size != int64(len(content)) {
				t.Errorf("got %+v, %v", attrs, err)
			}
		})
	}
}
