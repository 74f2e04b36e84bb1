package limit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/storage"
	"walarchive/storage/limit"
	"walarchive/storage/storagetest"
)

func TestConformance(t *testing.T) {
	for name, decorate := range map[string]func(storage.Bucket) storage.Bucket{
		"requests": func(b storage.Bucket) storage.Bucket { return limit.Requests(b, 1_000_000) },
		"bytes":    func(b storage.Bucket) storage.Bucket { return limit.NewLine(1 << 40).Bytes(b) },
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.TestBucket(t, func(*testing.T) storage.Bucket { return decorate(storagetest.NewMemory()) })
		})
	}
}

func TestNoBoundIsNoDecorator(t *testing.T) {
	b := storagetest.NewMemory()
	if limit.Requests(b, 0) != storage.Bucket(b) || limit.NewLine(0).Bytes(b) != storage.Bucket(b) {
		t.Error("a bucket without bounds is not the bucket itself")
	}
}

func fill(t *testing.T, b storage.Bucket, n int, content string) {
	t.Helper()
	for i := range n {
		if err := b.Put(t.Context(), fmt.Sprintf("%06d", i), strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
}

// The calls of one second come at once, all others at the rate.
func TestRequests(t *testing.T) {
	for op, call := range map[string]func(ctx context.Context, b storage.Bucket) error{
		"put": func(ctx context.Context, b storage.Bucket) error {
			err := b.Put(ctx, "000000", strings.NewReader("x"))
			if errors.Is(err, storage.ErrExist) {
				return nil
			}
			return err
		},
		"get": func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.ReadAll(ctx, b, "000000", 10)
			return err
		},
		"stat":   func(ctx context.Context, b storage.Bucket) error { _, err := b.Stat(ctx, "000000"); return err },
		"delete": func(ctx context.Context, b storage.Bucket) error { return b.Delete(ctx, "none") },
		"list": func(ctx context.Context, b storage.Bucket) error {
			for _, err := range b.List(ctx, "", "") {
				return err
			}
			return nil
		},
	} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := storagetest.NewMemory()
				fill(t, memory, 1, "x")
				b := limit.Requests(memory, 10)
				start := time.Now()
				for range 35 {
					if err := call(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(start); took != 2500*time.Millisecond {
					t.Errorf("35 calls took %v, want 2.5s", took)
				}
			})
		})
	}
}

// A long list counts for as many requests as it takes.
func TestListCountsItsPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storagetest.NewMemory()
		fill(t, memory, 4500, "")
		start, n := time.Now(), 0
		for _, err := range limit.Requests(memory, 1).List(t.Context(), "", "") {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); n != 4500 || took != 4*time.Second {
			t.Errorf("%d objects after %v, want 4500 after 4s", n, took)
		}
	})
}

// A call that would have to wait beyond its deadline says so at once.
func TestRequestsEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.Requests(storagetest.NewMemory(), 1)
		fill(t, b, 1, "x")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := b.Stat(ctx, "000000")
		var e *storage.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
		cancel()
		if _, err := b.Stat(ctx, "000000"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}

// Readers share a line.
func TestBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storagetest.NewMemory()
		fill(t, memory, 4, strings.Repeat("x", 1<<20))
		line := limit.NewLine(1 << 20)
		buckets := []storage.Bucket{line.Bytes(memory), line.Bytes(memory)}
		start := time.Now()
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				p, err := storage.ReadAll(t.Context(), buckets[i%2], fmt.Sprintf("%06d", i), 2<<20)
				if err != nil || len(p) != 1<<20 {
					t.Errorf("got %d bytes, %v", len(p), err)
				}
			})
		}
		group.Wait()
		if took := time.Since(start).Round(100 * time.Millisecond); took < 3900*time.Millisecond || took > 4*time.Second {
			t.Errorf("4 MiB at 1 MiB a second took %v", took)
		}
	})
}

func TestBytesEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storagetest.NewMemory()
		fill(t, memory, 1, strings.Repeat("x", 1<<20))
		ctx, cancel := context.WithCancel(t.Context())
		r, err := limit.NewLine(1000).Bytes(memory).Get(ctx, "000000", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
