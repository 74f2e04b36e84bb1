package file

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

const benchSize = 16 << 20 // bytes, a usual WAL segment

// BenchmarkWrite is the floor for Put: the same bytes, written and synced.
func BenchmarkWrite(b *testing.B) {
	data, dir := make([]byte, benchSize), b.TempDir()
	b.SetBytes(benchSize)
	for i := 0; b.Loop(); i++ {
		name := filepath.Join(dir, fmt.Sprint(i%16))
		if err := os.RemoveAll(name); err != nil { // keeps the disk from filling
			b.Fatal(err)
		}
		f, err := os.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	data := make([]byte, benchSize)
	bucket, err := New(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		name := fmt.Sprintf("main/wal/1/1/%08X/%d", i/256, i%16)
		if err := bucket.Delete(b.Context(), name); err != nil { // as above
			b.Fatal(err)
		}
		if err := bucket.Put(b.Context(), name, bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	bucket, err := New(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if err := bucket.Put(b.Context(), "main/wal/x", bytes.NewReader(make([]byte, benchSize))); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		r, err := bucket.Get(b.Context(), "main/wal/x", 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList lists one directory among others, 1000 objects.
func BenchmarkList(b *testing.B) {
	bucket, err := New(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	bucket.sync = func(*os.Root, string) error { return nil }
	for i := range 1000 {
		if err := bucket.Put(b.Context(), fmt.Sprintf("wal/%d/%d", i/250, i), bytes.NewReader(nil)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for _, err := range bucket.List(b.Context(), "", "") {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
