package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

func TestPermanent(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{storage.ErrNotExist, true},
		{storage.ErrExist, true},
		{storage.ErrPermission, true},
		{storage.ErrInvalid, true},
		{storage.ErrFull, true},
		{storage.ErrTooLarge, true},
		{errors.ErrUnsupported, true},
		{context.Canceled, true},
		{&storage.Error{Op: "get", Name: "x", Err: fmt.Errorf("so: %w", storage.ErrNotExist)}, true},
		{syscall.EACCES, true},
		{storage.ErrUnavailable, false},
		{errors.Join(storage.ErrUnavailable, fs.ErrNotExist), false},
		{storage.Classify(syscall.ENOENT, storage.ErrUnavailable, ""), false},
		{context.DeadlineExceeded, false},
		{syscall.EIO, false},
		{errors.New("what is this"), false},
	} {
		if got := storage.Permanent(c.err); got != c.want {
			t.Errorf("%v: got %v, want %v", c.err, got, c.want)
		}
	}
}

func TestClassify(t *testing.T) {
	err := storage.Classify(syscall.ENOENT, storage.ErrUnavailable, "mount it")
	if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) || err.Error() != syscall.ENOENT.Error() {
		t.Errorf("got %v, want ENOENT's words and no other kind than ErrUnavailable", err)
	}
	err = storage.Classify(syscall.ENOENT, nil, "look")
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v, want ENOENT itself", err)
	}
}

func TestError(t *testing.T) {
	err := error(&storage.Error{Op: "put", Name: "a/b", Err: storage.ErrFull})
	if got, want := err.Error(), "put a/b: the store is full"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err = &storage.Error{Op: "list", Err: storage.ErrFull}
	if got, want := err.Error(), "list: the store is full"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReadAll(t *testing.T) {
	b := storagetest.NewMemory()
	if err := b.Put(t.Context(), "ten", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		limit int64
		want  string
		err   error
	}{
		{"ten", 11, "0123456789", nil},
		{"ten", 10, "0123456789", nil},
		{"ten", 9, "", storage.ErrTooLarge},
		{"ten", 0, "", storage.ErrTooLarge},
		{"none", 9, "", storage.ErrNotExist},
	} {
		got, err := storage.ReadAll(t.Context(), b, c.name, c.limit)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s within %d bytes: got %q, %v; want %q, %v", c.name, c.limit, got, err, c.want, c.err)
		}
	}
}

func TestReadAllOfBrokenBody(t *testing.T) {
	b, _ := failing(t, "get", first(1, storagetest.Cut(4)))
	if got, err := storage.ReadAll(t.Context(), b, "one", 100); err == nil || got != nil {
		t.Errorf("got %q, %v; want no bytes and an error", got, err)
	}
}

// FuzzValidName holds ValidName to what it promises file systems: a valid name
// is its own cleaned, local path.
func FuzzValidName(f *testing.F) {
	for _, s := range []string{"a/b", "..", "a/../b", "...", "/a", "a//b", "a\x00", "é", strings.Repeat("e/", 600)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !storage.ValidName(name) {
			return
		}
		if !fs.ValidPath(name) || name == "." || len(name) > storage.MaxName || strings.ContainsAny(name, "~\\: \x00") {
			t.Errorf("%q counts as valid", name)
		}
	})
}

func TestPrefix(t *testing.T) {
	b := storagetest.NewMemory()
	for _, prefix := range []string{"clusters/main", "clusters/main/"} {
		p := storage.WithPrefix(b, prefix)
		name := fmt.Sprintf("wal/%d", len(prefix))
		if err := p.Put(t.Context(), name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Stat(t.Context(), "clusters/main/"+name); err != nil {
			t.Error(err)
		}
	}
	if err := b.Put(t.Context(), "clusters/main2/x", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := names(t.Context(), storage.WithPrefix(b, "clusters/main")); got != "wal/13 wal/14" || err != nil {
		t.Errorf("got %q, %v; want the names below clusters/main/", got, err)
	}
	if got := storage.WithPrefix(b, ""); got != storage.Bucket(b) {
		t.Errorf("without a prefix got %T, want the bucket itself", got)
	}
}

func ExampleWithRetry() {
	raw := storagetest.NewMemory() // in life, from storage/all
	b := storage.WithTimeout(raw, storage.Limits{Answer: 5 * time.Second, Progress: 20 * time.Second})
	b = storage.WithRetry(b, storage.Policy{Budget: time.Minute}, nil)
	b = storage.WithPrefix(b, "main")

	ctx := context.Background()
	fmt.Println(b.Put(ctx, "greeting", strings.NewReader("hello")))
	fmt.Println(b.Put(ctx, "greeting", strings.NewReader("other")))
	data, err := storage.ReadAll(ctx, b, "greeting", 100)
	fmt.Printf("%s %v\n", data, err)
	// Output:
	// <nil>
	// put main/greeting: file already exists
	// hello <nil>
}
