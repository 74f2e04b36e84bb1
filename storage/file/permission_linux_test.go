package file

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"walarchive/storage"
)

const nobody = 65534

// asNobody runs f on a thread for which file modes mean something: to root
// they mean nothing. The thread ends with f.
func asNobody(t *testing.T, f func() error) (err error) {
	t.Helper()
	var group sync.WaitGroup
	group.Go(func() {
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			err = errors.Join(syscall.Setfsgid(nobody), syscall.Setfsuid(nobody))
		}
		if err == nil {
			err = f()
		}
	})
	group.Wait()
	return err
}

// openForNobody is a bucket with the object a/there, all of which belongs to
// the user of asNobody.
func openForNobody(t *testing.T) *Bucket {
	t.Helper()
	b := open(t)
	put(t, b, "a/there", "x")
	must(t, os.Chmod(filepath.Dir(b.dir), 0o755))
	if os.Getuid() == 0 {
		for _, path := range []string{".", "a", "a/there"} {
			must(t, os.Chown(filepath.Join(b.dir, path), nobody, nobody))
		}
	}
	return b
}

func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		name string
		path string
		mode os.FileMode
		op   string
	}{
		{"store that cannot be written", ".", 0o555, "put"},
		{"directory that cannot be written", "a", 0o555, "delete"},
		{"object that cannot be read", "a/there", 0, "get"},
		{"directory that cannot be entered", "a", 0o400, "stat"},
		{"directory that cannot be listed", "a", 0o100, "list"},
		{"store that cannot be entered", ".", 0, "get"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := openForNobody(t)
			if err := asNobody(t, func() error { return b.Put(t.Context(), "a/before", strings.NewReader("x")) }); err != nil {
				t.Fatalf("before: %v", err)
			}
			path := filepath.Join(b.dir, c.path)
			must(t, os.Chmod(path, c.mode))
			t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
			err := asNobody(t, func() error { return callOn(t, b, c.op) })
			var hint interface{ Hint() string }
			switch {
			case !errors.Is(err, storage.ErrPermission) || errors.Is(err, storage.ErrNotExist):
				t.Errorf("got %v, want only %v", err, storage.ErrPermission)
			case !strings.Contains(err.Error(), "permission denied"):
				t.Errorf("%v: does not say so", err)
			case !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "user "):
				t.Errorf("%v: has no hint that names the user", err)
			}
		})
	}
}

func callOn(t *testing.T, b *Bucket, op string) error {
	t.Helper()
	switch op {
	case "put":
		return b.Put(t.Context(), "new/x", strings.NewReader("x"))
	case "delete":
		return b.Delete(t.Context(), "a/there")
	case "get":
		_, err := b.Get(t.Context(), "a/there", 0, -1)
		return err
	case "stat":
		_, err := b.Stat(t.Context(), "a/there")
		return err
	}
	for _, err := range b.List(t.Context(), "", "") {
		return err
	}
	return nil
}

// A listing reads only the directories that can hold what was asked for: the
// others may not be read, and nobody minds.
func TestListReadsNoMoreThanNeeded(t *testing.T) {
	b := openForNobody(t)
	for _, name := range []string{"a/1/x", "a/2/x", "a/3/x", "b/x"} {
		put(t, b, name, "x")
	}
	readable := map[string]bool{".": true, "a": true, "a/2": true}
	for _, dir := range []string{"a/1", "a/2", "a/3", "b"} {
		mode := os.FileMode(0)
		if readable[dir] {
			mode = 0o755
		}
		path := filepath.Join(b.dir, dir)
		must(t, os.Chmod(path, mode))
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
	}
	for _, c := range []struct {
		prefix, after, want string
		err                 error
	}{
		{"a/2/", "", "a/2/x", nil},
		{"a/2", "", "a/2/x", nil},
		{"a/2/x", "", "a/2/x", nil},
		{"a/", "a/1/zz", "", storage.ErrPermission},
		{"a/", "a/2", "a/2/x", storage.ErrPermission},
		{"a/2", "a/1/x", "a/2/x", nil},
		{"", "a/4", "a/there", storage.ErrPermission},
		{"", "c", "", nil},
		{"a/", "a/4", "a/there", nil},
		{"c/", "", "", nil},
	} {
		var got []string
		err := asNobody(t, func() error {
			for info, err := range b.List(t.Context(), c.prefix, c.after) {
				if err != nil {
					return err
				}
				got = append(got, info.Name)
			}
			return nil
		})
		if strings.Join(got, " ") != c.want || !errors.Is(err, c.err) {
			t.Errorf("list %q after %q: got %q, %v; want %q, %v", c.prefix, c.after, got, err, c.want, c.err)
		}
	}
}
