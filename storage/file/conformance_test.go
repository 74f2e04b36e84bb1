package file_test

import (
	"testing"

	"walarchive/storage"
	"walarchive/storage/all"
	"walarchive/storage/storagetest"
)

func TestConformance(t *testing.T) {
	storagetest.TestBucket(t, func(t *testing.T) storage.Bucket {
		b, err := all.Openers(all.Settings{}).Open(t.Context(), "file://"+t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
