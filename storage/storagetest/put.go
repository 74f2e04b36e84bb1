package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"walarchive/storage"
)

func testPutGet(t *testing.T, b storage.Bucket) {
	want := pattern(300_000)
	if err := b.Put(t.Context(), "a/b/c", bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	if got := get(t, b, "a/b/c", 0, -1); got != string(want) {
		t.Errorf("got %d bytes, not the %d that were put", len(got), len(want))
	}
	info, err := b.Stat(t.Context(), "a/b/c")
	if err != nil {
		t.Fatal(err)
	}
	if info.Name != "a/b/c" || info.Size != int64(len(want)) || info.ModTime.IsZero() {
		t.Errorf("stat: got %+v", info)
	}
	for listed, err := range b.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if listed.Name != info.Name || listed.Size != info.Size || !listed.ModTime.Equal(info.ModTime) {
			t.Errorf("list: got %+v, want %+v as from stat", listed, info)
		}
	}
}

func testEmpty(t *testing.T, b storage.Bucket) {
	put(t, b, "empty", "")
	if got := get(t, b, "empty", 0, -1); got != "" {
		t.Errorf("got %q", got)
	}
	if info, err := b.Stat(t.Context(), "empty"); err != nil || info.Size != 0 {
		t.Errorf("stat: got %+v, %v", info, err)
	}
	err := b.Put(t.Context(), "empty", strings.NewReader("more"))
	wantKind(t, "put again", err, storage.ErrExist)
}

func testTaken(t *testing.T, b storage.Bucket) {
	put(t, b, "x/taken", "first")
	for _, body := range []string{"other", "first", ""} {
		err := b.Put(t.Context(), "x/taken", strings.NewReader(body))
		wantKind(t, "put again", err, storage.ErrExist)
		if !storage.Permanent(err) {
			t.Errorf("%v: not permanent", err)
		}
	}
	if got := get(t, b, "x/taken", 0, -1); got != "first" {
		t.Errorf("got %q, want the first content", got)
	}
	wantNames(t, "list", list(t, b, "", ""), []string{"x/taken"})
}

func testRace(t *testing.T, b storage.Bucket) {
	const writers = 16
	errs := make([]error, writers)
	together(writers, func(i int) {
		errs[i] = b.Put(t.Context(), "deep/down/raced", strings.NewReader(content(i)))
	})
	var won []int
	for i, err := range errs {
		if err == nil {
			won = append(won, i)
			continue
		}
		wantKind(t, "a loser's put", err, storage.ErrExist)
	}
	if len(won) != 1 {
		t.Fatalf("writers %v all won, want exactly one", won)
	}
	if got := get(t, b, "deep/down/raced", 0, -1); got != content(won[0]) {
		t.Errorf("the content is not that of the winner, %d", won[0])
	}
	wantNames(t, "list", list(t, b, "", ""), []string{"deep/down/raced"})
}

func testLarge(t *testing.T, b storage.Bucket) {
	want := pattern(40<<20 + 1)
	if err := b.Put(t.Context(), "large", unsized{bytes.NewReader(want)}); err != nil {
		t.Fatal(err)
	}
	r, err := b.Get(t.Context(), "large", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, error %v; want the %d that were put", len(got), err, len(want))
	}
}

// liar has another size than it says.
type liar struct {
	*strings.Reader
	size int64
}

func (l liar) Size() int64 { return l.size }

func testWrongSize(t *testing.T, b storage.Bucket) {
	for _, size := range []int64{0, 9, 11, 1 << 20} {
		err := b.Put(t.Context(), "lied", liar{strings.NewReader("ten bytes."), size})
		wantKind(t, fmt.Sprintf("10 bytes that said to be %d", size), err, storage.ErrInvalid)
		wantFree(t, b, "lied")
	}
}

func testRewind(t *testing.T, b storage.Bucket) {
	body := strings.NewReader("from the start")
	if _, err := body.Seek(5, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "one", body); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "two", body); err != nil { // now at its end
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if got := get(t, b, name, 0, -1); got != "from the start" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// rewindable tells its size, and can go to its start and nowhere else.
type rewindable struct{ *bytes.Reader }

func (r rewindable) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.New("this body can only be rewound")
	}
	return r.Reader.Seek(offset, whence)
}

func testRewindOnly(t *testing.T, b storage.Bucket) {
	want := pattern(1 << 20)
	if err := b.Put(t.Context(), "rewound", rewindable{bytes.NewReader(want)}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, b, "rewound", 0, -1); got != string(want) {
		t.Errorf("got %d bytes, not the %d that were put", len(got), len(want))
	}
}

func testBrokenBody(t *testing.T, b storage.Bucket) {
	data := pattern(1 << 20)
	for _, n := range []int64{0, 1, 1 << 19, 1 << 20} {
		err := b.Put(t.Context(), "x/broken", &broken{bytes.NewReader(data), n})
		if !errors.Is(err, errBroken) {
			t.Errorf("a body broken at %d: got %v, want the body's error", n, err)
		}
		wantFree(t, b, "x/broken")
	}
	put(t, b, "x/broken", "whole")
}

// cancelling ends a context while it is read.
type cancelling struct {
	*bytes.Reader
	cancel context.CancelFunc
}

func (c cancelling) Read(p []byte) (int, error) {
	if c.Len() <= 1<<19 {
		c.cancel()
	}
	return c.Reader.Read(p[:min(len(p), 1<<16)])
}

func testCancelledPut(t *testing.T, b storage.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := b.Put(ctx, "x/cancelled", cancelling{bytes.NewReader(pattern(1 << 20)), cancel})
	wantKind(t, "put", err, context.Canceled)
	wantFree(t, b, "x/cancelled")
	put(t, b, "x/cancelled", "whole")
}

func testCopy(t *testing.T, b storage.Bucket) {
	want := string(pattern(100_000))
	put(t, b, "from", want)
	for range 2 { // the second time the name is taken
		err := storage.Copy(t.Context(), b, "from", b, "to")
		if err != nil && !errors.Is(err, storage.ErrExist) {
			t.Fatal(err)
		}
		if got := get(t, b, "to", 0, -1); got != want {
			t.Fatalf("the copy has %d bytes, of other content", len(got))
		}
	}
}
