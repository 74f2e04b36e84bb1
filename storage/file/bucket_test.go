package file

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"walarchive/storage"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "a b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, url string
		want      error
		says      string
	}{
		{"a directory", "file://" + dir, nil, ""},
		{"a slash at the end", "file://" + dir + "/", nil, ""},
		{"localhost", "file://localhost" + dir, nil, ""},
		{"escaped", "file://" + dir + "/a%20b", nil, ""},
		{"another host", "file://server" + dir, storage.ErrInvalid, "no absolute path"},
		{"relative", "file:wal", storage.ErrInvalid, "no absolute path"},
		{"two slashes", "file://wal", storage.ErrInvalid, "no absolute path"},
		{"no path", "file://", storage.ErrInvalid, "no absolute path"},
		{"a parameter", "file://" + dir + "?mode=0600", storage.ErrInvalid, `"mode"`},
		{"missing", "file://" + dir + "/none", storage.ErrUnavailable, dir + "/none: no such file"},
		{"a file", "file://" + dir + "/file", storage.ErrInvalid, "not a directory"},
		{"below a file", "file://" + dir + "/file/x", storage.ErrUnavailable, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Open(t.Context(), u)
			if !errors.Is(err, c.want) || (b == nil) != (c.want != nil) {
				t.Fatalf("got %v, %v; want error %v", b, err, c.want)
			}
			if err != nil && (!strings.Contains(err.Error(), c.says) || errors.Is(err, storage.ErrNotExist)) {
				t.Errorf("got error %v, want one that says %q and is not %v", err, c.says, storage.ErrNotExist)
			}
		})
	}
}

// every calls each method and returns its error.
func every(ctx context.Context, b storage.Bucket) map[string]error {
	_, get := b.Get(ctx, "there", 0, -1)
	_, missing := b.Get(ctx, "none", 0, -1)
	_, stat := b.Stat(ctx, "none")
	errs := map[string]error{
		"get": get, "get of nothing": missing, "stat": stat,
		"put": b.Put(ctx, "a/new", strings.NewReader("x")), "delete": b.Delete(ctx, "none/here"),
	}
	for _, err := range b.List(ctx, "", "") {
		errs["list"] = err
	}
	return errs
}

func TestStoreThatIsGone(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, root string){
		"removed": func(t *testing.T, root string) { must(t, os.RemoveAll(root)) },
		"moved":   func(t *testing.T, root string) { must(t, os.Rename(root, root+".old")) },
		"replaced by an empty directory": func(t *testing.T, root string) {
			must(t, os.Rename(root, root+".old"))
			must(t, os.Mkdir(root, 0o700))
		},
		"replaced by a file": func(t *testing.T, root string) {
			must(t, os.RemoveAll(root))
			must(t, os.WriteFile(root, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "store")
			must(t, os.Mkdir(root, 0o700))
			b, err := New(root)
			must(t, err)
			put(t, b, "there", "x")
			take(t, root)
			errs := every(t.Context(), b)
			if len(errs) != 6 {
				t.Fatalf("got the errors of %d calls, want 6", len(errs))
			}
			for op, err := range errs {
				if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrNotExist) || storage.Permanent(err) {
					t.Errorf("%s: got %v, want only %v", op, err, storage.ErrUnavailable)
				}
			}
			if files, err := os.ReadDir(root); err == nil && len(files) > 0 {
				t.Errorf("something was written there: %v", files)
			}
		})
	}
}

func TestStoreThatComesBack(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	must(t, os.Mkdir(root, 0o700))
	b, err := New(root)
	must(t, err)
	put(t, b, "there", "x")
	must(t, os.Rename(root, root+".away"))
	must(t, os.Rename(root+".away", root))
	if got, err := storage.ReadAll(t.Context(), b, "there", 9); string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNamesCannotEscape(t *testing.T) {
	b := open(t)
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	must(t, os.Symlink(secret, filepath.Join(b.dir, "link")))
	must(t, os.Symlink(filepath.Dir(secret), filepath.Join(b.dir, "dir")))
	for _, name := range []string{"link", "dir/secret"} {
		if r, err := b.Get(t.Context(), name, 0, -1); err == nil {
			data, _ := io.ReadAll(r)
			t.Errorf("%s: got %q, want an error", name, data)
		}
	}
	if err := b.Put(t.Context(), "dir/new", strings.NewReader("x")); err == nil {
		t.Error("put through a link out of the root")
	}
	if err := b.Delete(t.Context(), "dir/secret"); err == nil {
		t.Error("delete through a link out of the root")
	}
	if files, err := os.ReadDir(filepath.Dir(secret)); err != nil || len(files) != 1 {
		t.Errorf("outside are %v, %v; want the secret alone", files, err)
	}
	if err := b.Delete(t.Context(), "link"); err != nil {
		t.Error(err) // the link itself
	}
}

func TestListFailsAtLinks(t *testing.T) {
	b := open(t)
	put(t, b, "a/x", "x")
	put(t, b, "c/x", "x")
	must(t, os.Symlink("../c", filepath.Join(b.dir, "a", "y")))
	if err := every(t.Context(), b)["list"]; err == nil || !strings.Contains(err.Error(), "a/y is a symbolic link") {
		t.Errorf("got %v, want an error that names the link", err)
	}
	for info, err := range b.List(t.Context(), "c/", "") {
		if info.Name != "c/x" || err != nil {
			t.Errorf("beside the link: got %v, %v", info, err)
		}
	}
}

func TestOtherFilesAreNoObjects(t *testing.T) {
	b := open(t)
	mkdir(t, b, "lost+found")
	mkdir(t, b, "a~")
	must(t, os.WriteFile(filepath.Join(b.dir, "a~", "x"), nil, 0o600))
	must(t, syscall.Mkfifo(filepath.Join(b.dir, "pipe"), 0o600))
	if _, err := b.Get(t.Context(), "pipe", 0, -1); err == nil || errors.Is(err, storage.ErrNotExist) {
		t.Errorf("get of a pipe: %v", err)
	}
	for info, err := range b.List(t.Context(), "", "") {
		t.Errorf("listed: %v, %v", info, err)
	}
}

// A root that goes away in the middle of a call is no answer either.
func TestMissingIsCheckedAtTheEnd(t *testing.T) {
	b := open(t)
	if err := b.missing(os.ErrNotExist); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("got %v, want %v", err, storage.ErrNotExist)
	}
	must(t, os.RemoveAll(b.dir))
	if err := b.missing(os.ErrNotExist); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, storage.ErrUnavailable)
	}
}

func TestDeleteLeavesDirectories(t *testing.T) {
	b := open(t)
	put(t, b, "a/b/c", "x")
	for _, name := range []string{"a/b/c", "a/b", "a"} {
		must(t, b.Delete(t.Context(), name))
	}
	wantFiles(t, b, "a/", "a/b/")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
