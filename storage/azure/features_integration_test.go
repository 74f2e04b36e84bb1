//go:build integration

package azure

import (
	"io"
	"strings"
	"testing"

	"walarchive/storage/storagetest/servers"
)

// Objects are of the tier that the settings ask for, whether they are stored
// in one request or in blocks.
func TestTier(t *testing.T) {
	t.Parallel()
	server := servers.StartAzurite(t, nil)
	content := strings.Repeat("x", 3<<20)
	for _, tier := range []string{"Hot", "Cool", "Cold"} {
		o := options(t, server)
		o.Tier, o.PartSize = tier, minPart
		b := newBucket(t, o)
		for name, body := range map[string]io.ReadSeeker{
			"whole":  strings.NewReader(content),
			"blocks": &unsized{strings.NewReader(content)},
		} {
			t.Run(tier+" "+name, func(t *testing.T) {
				if err := b.Put(t.Context(), name, body); err != nil {
					t.Fatal(err)
				}
				p, err := b.blob(name).GetProperties(t.Context(), nil)
				if err != nil || p.AccessTier == nil || *p.AccessTier != tier || *p.ContentLength != int64(len(content)) {
					t.Errorf("got tier %v, %v", p.AccessTier, err)
				}
			})
		}
	}
}
