//go:build integration

package gcs

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"walarchive/storage"
	"walarchive/storage/storagetest/servers"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	server := servers.StartFakeGCS(t, nil)
	bucket := server.NewBucket(t)
	servers.TestFaults(t, strings.TrimPrefix(server.Endpoint, "http://"), func(t *testing.T, addr string) storage.Bucket {
		b, err := New(t.Context(), Options{Bucket: bucket, Endpoint: "http://" + addr, Anonymous: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func TestUploads(t *testing.T) {
	t.Parallel()
	server := servers.StartFakeGCS(t, nil)
	bucket := server.NewBucket(t)
	piece := func(r *http.Request) bool { return r.Method != http.MethodGet && r.Header.Get("Content-Range") != "" }
	servers.TestUploads(t, server.Endpoint, servers.Uploads{
		Piece: piece,
		Last:  func(r *http.Request) bool { return piece(r) && !strings.HasSuffix(r.Header.Get("Content-Range"), "/*") },
	}, func(t *testing.T, base string) storage.Bucket {
		b, err := New(t.Context(), Options{Bucket: bucket, Endpoint: base, Anonymous: true, PartSize: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

// What PostgreSQL's largest segments and backup packs need: an object larger
// than one request takes, of a size that is known.
func TestLargeObject(t *testing.T) {
	t.Parallel()
	b := open(t, servers.StartFakeGCS(t, nil))
	body := strings.Repeat("0123456789abcdef", (maxSingle+partUnit)/16)
	if err := b.Put(t.Context(), "large", strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if got, err := storage.ReadAll(t.Context(), b, "large", int64(len(body))); err != nil || string(got) != body {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	err := b.Put(t.Context(), "large", strings.NewReader(body))
	if !errors.Is(err, storage.ErrExist) {
		t.Errorf("put again: got %v, want ErrExist", err)
	}
}

// A store without the bucket has no word on its objects.
func TestMissingBucket(t *testing.T) {
	server := servers.StartFakeGCS(t, nil)
	b, err := New(t.Context(), Options{Bucket: "missing", Endpoint: server.Endpoint, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	for op, err := range every(t, b) {
		if !errors.Is(err, storage.ErrInvalid) || !strings.Contains(hintOf(err), "there is no bucket missing") {
			t.Errorf("%s: got %v, hint %q", op, err, hintOf(err))
		}
	}
}
