// Package storagetest holds backends and decorators of storage to the promises
// of storage.Bucket (TestBucket), and offers buckets for the tests of those
// who use one: Memory, Flaky, which fails where it is told to, and Recorder,
// which counts.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"walarchive/storage"
)

// TestBucket checks all promises of storage.Bucket. open gives a new, empty
// bucket on each call.
func TestBucket(t *testing.T, open func(t *testing.T) storage.Bucket) {
	for _, c := range []struct {
		promise string
		test    func(t *testing.T, b storage.Bucket)
	}{
		{"what was put is got", testPutGet},
		{"empty objects are objects", testEmpty},
		{"a taken name stays taken", testTaken},
		{"one of many writers wins", testRace},
		{"a large body of unknown size is streamed", testLarge},
		{"a body of the wrong size is not stored", testWrongSize},
		{"a body is read from its start", testRewind},
		{"a body that can only be rewound", testRewindOnly},
		{"a body that fails leaves the name free", testBrokenBody},
		{"an object can be the body of another", testCopy},
		{"ranges", testRanges},
		{"missing objects", testMissing},
		{"names", testNames},
		{"a name is no directory", testNameAndDirectory},
		{"delete can be repeated", testDelete},
		{"lists are in byte order", testListOrder},
		{"lists have a prefix", testListPrefix},
		{"lists resume anywhere", testListResume},
		{"a list ends when the caller breaks", testListBreak},
		{"an ended context ends every call", testCancelled},
		{"a context that ends during a put leaves nothing", testCancelledPut},
		{"all at once", testConcurrent},
	} {
		t.Run(c.promise, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func put(t *testing.T, b storage.Bucket, name, content string) {
	t.Helper()
	if err := b.Put(t.Context(), name, strings.NewReader(content)); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

// get is a range of an object.
func get(t *testing.T, b storage.Bucket, name string, off, n int64) string {
	t.Helper()
	r, err := b.Get(t.Context(), name, off, n)
	if err != nil {
		t.Fatalf("get %s from %d, %d bytes: %v", name, off, n, err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %s from %d, %d bytes: %v", name, off, n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatalf("close %s: %v", name, err)
	}
	return string(data)
}

// list is the names of a listing.
func list(t *testing.T, b storage.Bucket, prefix, after string) []string {
	t.Helper()
	var names []string
	for info, err := range b.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		names = append(names, info.Name)
	}
	return names
}

func wantNames(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// wantKind checks err's kind, its shape, and that no other kind is claimed.
func wantKind(t *testing.T, what string, err, kind error) {
	t.Helper()
	var e *storage.Error
	if !errors.Is(err, kind) {
		t.Errorf("%s: got error %v, want %v", what, err, kind)
	} else if !errors.As(err, &e) {
		t.Errorf("%s: got %T, want *storage.Error", what, err)
	}
	for _, other := range []error{storage.ErrNotExist, storage.ErrExist, storage.ErrInvalid} {
		if other != kind && errors.Is(err, other) {
			t.Errorf("%s: error %v is %v, too", what, err, other)
		}
	}
}

// wantFree checks that nothing has the name, by every way to look.
func wantFree(t *testing.T, b storage.Bucket, name string) {
	t.Helper()
	_, err := b.Stat(t.Context(), name)
	wantKind(t, "stat", err, storage.ErrNotExist)
	_, err = b.Get(t.Context(), name, 0, -1)
	wantKind(t, "get", err, storage.ErrNotExist)
	wantNames(t, "list", list(t, b, name, ""), nil)
}

// lists collects what a list gives, error included.
func lists(ctx context.Context, b storage.Bucket) (names []string, err error) {
	for info, err := range b.List(ctx, "", "") {
		if err != nil {
			return names, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

// pattern is n bytes that differ from place to place.
func pattern(n int) []byte {
	const block = 1 << 16
	p := make([]byte, min(n, block), n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	for len(p) < n {
		p = append(p, p[:min(block, n-len(p))]...)
		p[len(p)-1] ^= byte(len(p) >> 16)
	}
	return p
}

// unsized is a body that does not tell its size.
type unsized struct{ io.ReadSeeker }

// broken fails after n bytes.
type broken struct {
	*bytes.Reader
	n int64
}

var errBroken = fmt.Errorf("the body broke: %w", fs.ErrNotExist)

func (b *broken) Read(p []byte) (int, error) {
	left := b.n - (b.Size() - int64(b.Len()))
	if left <= 0 {
		return 0, errBroken
	}
	return b.Reader.Read(p[:min(int64(len(p)), left)])
}

// together runs f n times at once.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() { <-start; f(i) })
	}
	close(start)
	group.Wait()
}

func content(i int) string { return strings.Repeat(fmt.Sprintf("writer %d ", i), 4096) }
