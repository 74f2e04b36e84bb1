package storage_test

import (
	"testing"
	"time"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

func TestConformance(t *testing.T) {
	limits := storage.Limits{Answer: time.Minute, Progress: time.Minute, Total: time.Hour}
	for name, decorate := range map[string]func(storage.Bucket) storage.Bucket{
		"prefix":  func(b storage.Bucket) storage.Bucket { return storage.WithPrefix(b, "clusters/main") },
		"timeout": func(b storage.Bucket) storage.Bucket { return storage.WithTimeout(b, limits) },
		"retry":   func(b storage.Bucket) storage.Bucket { return storage.WithRetry(b, storage.Policy{}, nil) },
		"all": func(b storage.Bucket) storage.Bucket {
			b = storage.WithRetry(storage.WithTimeout(b, limits), storage.Policy{}, nil)
			return storage.WithPrefix(b, "clusters/main/")
		},
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.TestBucket(t, func(*testing.T) storage.Bucket { return decorate(storagetest.NewMemory()) })
		})
	}
}
