package archive_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"walarchive/archive"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// garbler gives other bytes than were put.
type garbler struct{ *storagetest.Memory }

func (g garbler) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b, err := storage.ReadAll(ctx, g.Memory, name, 1<<20)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(bytes.Replace(b, []byte(`"v":1`), []byte(`"v":0`), 1))), nil
}

func TestKeyProbe(t *testing.T) {
	denied := func(op string) storage.Bucket {
		return &storagetest.Flaky{Bucket: storagetest.NewMemory(), Fail: func(o, _ string, _ int) error {
			if o == op {
				return storage.ErrPermission
			}
			return nil
		}}
	}
	providers := generations(t, "g1", "g2")
	one := keys.NewRing(map[string]keys.Provider{"g1": providers["g1"]})
	exchanged := keys.NewRing(map[string]keys.Provider{"g1": providers["g2"]})
	for _, tt := range []struct {
		name       string
		bucket     storage.Bucket
		seal, open *keys.Ring
		steps      int // that are tried
		fails      archive.ProbeStep
	}{
		{"all is well", storagetest.NewMemory(), one, one, 5, ""},
		{"no key", storagetest.NewMemory(), keys.NewRing(nil), one, 1, archive.ProbeWrap},
		{"nothing may be written", denied("put"), one, one, 2, archive.ProbeWrite},
		{"nothing may be read", denied("get"), one, one, 4, archive.ProbeRead},
		{"nothing may be deleted", denied("delete"), one, one, 5, archive.ProbeDelete},
		{"the store garbles", garbler{storagetest.NewMemory()}, one, one, 5, archive.ProbeUnwrap},
		{"another key is under the name now", storagetest.NewMemory(), one, exchanged, 5, archive.ProbeUnwrap},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := archive.NewProbe(tt.bucket, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			done := p.RunKey(t.Context(), rand.Reader, generation("g1"), tt.seal, tt.open)
			if len(done) != tt.steps {
				t.Errorf("%d steps were tried, want %d: %v", len(done), tt.steps, done)
			}
			for _, d := range done {
				if (d.Err != nil) != (d.Step == tt.fails) {
					t.Errorf("%s: %v", d.Step, d.Err)
				}
			}
			if _, err := tt.bucket.Stat(t.Context(), p.Object); tt.fails != archive.ProbeDelete && !errors.Is(err, storage.ErrNotExist) {
				t.Errorf("the probe stays: %v", err)
			}
		})
	}
}
