package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"walarchive/storage"
)

func testRanges(t *testing.T, b storage.Bucket) {
	put(t, b, "digits", "0123456789")
	for _, c := range []struct {
		off, n int64
		want   string
	}{
		{0, -1, "0123456789"},
		{0, 10, "0123456789"},
		{0, 0, ""},
		{0, 1, "0"},
		{3, 4, "3456"},
		{9, 1, "9"},
		{3, -1, "3456789"},
		{3, -5, "3456789"},
		{8, 100, "89"},
		{0, 1 << 62, "0123456789"},
		{10, -1, ""},
		{10, 5, ""},
		{11, 5, ""},
		{1 << 40, 5, ""},
		{1 << 40, -1, ""},
		{5, 0, ""},
		{50, 0, ""},
	} {
		if got := get(t, b, "digits", c.off, c.n); got != c.want {
			t.Errorf("get %d bytes from %d: got %q, want %q", c.n, c.off, got, c.want)
		}
	}
	_, err := b.Get(t.Context(), "digits", -1, 5)
	wantKind(t, "a negative offset", err, storage.ErrInvalid)
}

func testMissing(t *testing.T, b storage.Bucket) {
	put(t, b, "there/object", "x")
	for _, name := range []string{"missing", "there", "there/missing", "no/such/place", "there/object/below"} {
		_, err := b.Stat(t.Context(), name)
		wantKind(t, "stat "+name, err, storage.ErrNotExist)
		for _, n := range []int64{-1, 0, 1} {
			_, err = b.Get(t.Context(), name, 0, n)
			wantKind(t, fmt.Sprintf("get %s, %d bytes", name, n), err, storage.ErrNotExist)
		}
		if !storage.Permanent(err) {
			t.Errorf("%v: not permanent", err)
		}
		if err := b.Delete(t.Context(), name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
		wantNames(t, "list "+name+"/", list(t, b, name+"/x", ""), nil)
	}
	wantNames(t, "list", list(t, b, "", ""), []string{"there/object"})
}

func testNames(t *testing.T, b storage.Bucket) {
	for _, name := range []string{
		"-", "_", "...", "..a", ".hidden", "a.", "-rf", "con", "A/a", "a/A", "x/.../y", "tmp~x"[:3],
		"000000010000000A000000FF.00000028.backup",
		strings.Repeat("e", storage.MaxElement),
		strings.Repeat("0123456789/", 80) + "end",
	} {
		put(t, b, name, "content of "+name)
		if got := get(t, b, name, 0, -1); got != "content of "+name {
			t.Errorf("%q: got %q", name, got)
		}
		wantNames(t, "list", list(t, b, name, ""), []string{name})
	}
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "../a", "a/../b", "a/..", "a b", "a\x00b", "a\nb",
		`a\b`, "a~", "a:b", "a%2fb", "é", "a\xff",
		strings.Repeat("e", storage.MaxElement+1),
		strings.Repeat("0123456789/", 100),
		strings.Repeat("0123456789/", 94),
	} {
		wantKind(t, fmt.Sprintf("put %q", name), b.Put(t.Context(), name, strings.NewReader("x")), storage.ErrInvalid)
		_, err := b.Get(t.Context(), name, 0, -1)
		wantKind(t, fmt.Sprintf("get %q", name), err, storage.ErrInvalid)
		_, err = b.Stat(t.Context(), name)
		wantKind(t, fmt.Sprintf("stat %q", name), err, storage.ErrInvalid)
		wantKind(t, fmt.Sprintf("delete %q", name), b.Delete(t.Context(), name), storage.ErrInvalid)
	}
}

// A store may hold both a and a/b or refuse the second, but neither may be
// lost, and it is no ErrExist: nothing has the name.
func testNameAndDirectory(t *testing.T, b storage.Bucket) {
	for _, c := range []struct{ first, second string }{{"file", "file/below"}, {"dir/below", "dir"}} {
		put(t, b, c.first, "first")
		err := b.Put(t.Context(), c.second, strings.NewReader("second"))
		if err != nil {
			wantKind(t, "put "+c.second, err, storage.ErrInvalid)
			_, err = b.Stat(t.Context(), c.second)
			wantKind(t, "stat "+c.second, err, storage.ErrNotExist)
		} else if got := get(t, b, c.second, 0, -1); got != "second" {
			t.Errorf("%s: got %q", c.second, got)
		}
		if got := get(t, b, c.first, 0, -1); got != "first" {
			t.Errorf("%s: got %q", c.first, got)
		}
	}
}

func testDelete(t *testing.T, b storage.Bucket) {
	put(t, b, "x/gone", "first")
	put(t, b, "x/stays", "stays")
	for range 2 {
		if err := b.Delete(t.Context(), "x/gone"); err != nil {
			t.Fatal(err)
		}
		wantFree(t, b, "x/gone")
	}
	put(t, b, "x/gone", "second")
	if got := get(t, b, "x/gone", 0, -1) + get(t, b, "x/stays", 0, -1); got != "secondstays" {
		t.Errorf("got %q", got)
	}
}

func testCancelled(t *testing.T, b storage.Bucket) {
	put(t, b, "there", strings.Repeat("x", 1<<20))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := b.Get(ctx, "there", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	_, readErr := io.Copy(io.Discard, r)
	_, getErr := b.Get(ctx, "there", 0, -1)
	_, statErr := b.Stat(ctx, "there")
	_, listErr := lists(ctx, b)
	for op, err := range map[string]error{
		"read": readErr, "get": getErr, "stat": statErr, "list": listErr,
		"put":    b.Put(ctx, "new", strings.NewReader("x")),
		"delete": b.Delete(ctx, "there"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v, want %v", op, err, context.Canceled)
		}
	}
	wantNames(t, "list", list(t, b, "", ""), []string{"there"})
}

func testConcurrent(t *testing.T, b storage.Bucket) {
	together(8, func(i int) {
		for j := range 5 {
			name := fmt.Sprintf("c/%d/%d", j, i)
			if err := b.Put(t.Context(), name, strings.NewReader(content(i))); err != nil {
				t.Error(err)
			}
			if data, err := storage.ReadAll(t.Context(), b, name, 1<<20); err != nil || string(data) != content(i) {
				t.Errorf("%s: got %d bytes, error %v", name, len(data), err)
			}
			if _, err := lists(t.Context(), b); err != nil {
				t.Error(err)
			}
			if err := b.Delete(t.Context(), fmt.Sprintf("c/%d/%d", j-1, i)); err != nil {
				t.Error(err)
			}
		}
	})
	if got := list(t, b, "", ""); len(got) != 8 {
		t.Errorf("left are %q, want the last of 8 writers", got)
	}
}
