package file

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walarchive/storage"
)

func open(t *testing.T) *Bucket {
	t.Helper()
	b, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, b *Bucket, name, content string) {
	t.Helper()
	if err := b.Put(t.Context(), name, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

// files are all paths below the root, directories with a slash.
func files(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(root, path); rel != "." && d.IsDir() {
			all = append(all, rel+"/")
		} else if rel != "." {
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantFiles(t *testing.T, b *Bucket, want ...string) {
	t.Helper()
	if got := files(t, b.dir); !slices.Equal(got, want) {
		t.Errorf("below the root are %q, want %q", got, want)
	}
}

// trace notes the steps of Put and the directories that are synced.
func trace(b *Bucket) *[]string {
	var steps []string
	b.step = func(name string) { steps = append(steps, name) }
	b.sync = func(root *os.Root, dir string) error {
		rel, err := filepath.Rel(b.dir, filepath.Join(root.Name(), dir))
		steps = append(steps, "sync "+rel)
		return errors.Join(err, syncDir(root, dir))
	}
	return &steps
}

func TestPutIsDurableBeforeItReturns(t *testing.T) {
	write := []string{"created", "written", "synced", "linked", "cleared"}
	for _, c := range []struct {
		name   string
		before func(t *testing.T, b *Bucket)
		want   []string
		err    error
	}{
		{
			"into a new store", func(*testing.T, *Bucket) {},
			slices.Concat([]string{"sync .", "sync a", "directories"}, write, []string{"sync a/b"}), nil,
		},
		{
			"beside another object", func(t *testing.T, b *Bucket) { put(t, b, "a/b/other", "x") },
			slices.Concat([]string{"directories"}, write, []string{"sync a/b"}), nil,
		},
		{
			"into an empty directory, whose maker may have been killed",
			func(t *testing.T, b *Bucket) { mkdir(t, b, "a/b") },
			slices.Concat([]string{"sync a", "directories"}, write, []string{"sync a/b"}), nil,
		},
		{
			"below an empty directory",
			func(t *testing.T, b *Bucket) { mkdir(t, b, "a") },
			slices.Concat([]string{"sync .", "sync a", "directories"}, write, []string{"sync a/b"}), nil,
		},
		{
			"over an object, whose writer may have been killed",
			func(t *testing.T, b *Bucket) { put(t, b, "a/b/c", "first") },
			[]string{"directories", "cleared", "sync a/b"}, storage.ErrExist,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			c.before(t, b)
			steps := trace(b)
			if err := b.Put(t.Context(), "a/b/c", strings.NewReader("x")); !errors.Is(err, c.err) {
				t.Errorf("got error %v, want %v", err, c.err)
			}
			if !slices.Equal(*steps, c.want) {
				t.Errorf("steps:\n got %q\nwant %q", *steps, c.want)
			}
		})
	}
}

func mkdir(t *testing.T, b *Bucket, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(b.dir, dir), dirMode); err != nil {
		t.Fatal(err)
	}
}

func TestPutThatCannotSyncFails(t *testing.T) {
	for _, there := range []bool{false, true} {
		b := open(t)
		if there {
			put(t, b, "x", "first")
		}
		b.sync = func(*os.Root, string) error { return io.ErrNoProgress }
		err := b.Put(t.Context(), "x", strings.NewReader("x"))
		if !errors.Is(err, io.ErrNoProgress) || errors.Is(err, storage.ErrExist) {
			t.Errorf("name taken %v: got %v, want only the error of sync", there, err)
		}
	}
}

func TestPutLeavesOnlyTheObject(t *testing.T) {
	b := open(t)
	put(t, b, "a/b", "x")
	if err := b.Put(t.Context(), "a/b", strings.NewReader("y")); !errors.Is(err, storage.ErrExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.step = func(step string) {
		if step == "synced" {
			cancel()
		}
	}
	if err := b.Put(ctx, "a/c", strings.NewReader("y")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	wantFiles(t, b, "a/", "a/b")
}

func TestPutModes(t *testing.T) {
	b := open(t)
	put(t, b, "a/b", "x")
	for path, want := range map[string]os.FileMode{"a": os.ModeDir | 0o750, "a/b": 0o640} {
		info, err := os.Stat(filepath.Join(b.dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode()&^want != 0 { // the umask may have taken bits away
			t.Errorf("%s: got mode %v, want at most %v", path, info.Mode(), want)
		}
	}
}

func TestPutSweepsLeftovers(t *testing.T) {
	b := open(t)
	mkdir(t, b, "a")
	leftover := filepath.Join(b.dir, "a", tempPrefix+"LEFTOVER")
	if err := os.WriteFile(leftover, []byte("half an obj"), fileMode); err != nil {
		t.Fatal(err)
	}
	for info, err := range b.List(t.Context(), "", "") {
		t.Errorf("a leftover is listed: %v, %v", info, err)
	}
	put(t, b, "a/b", "x")
	wantFiles(t, b, "a/", "a/b")
}

// While one Put writes, others into its directory do not take its file away.
func TestPutLeavesWritersAlone(t *testing.T) {
	b := open(t)
	other, err := New(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"created", "written", "synced", "linked"} {
		b.step = func(at string) {
			if at == step {
				put(t, other, "a/beside-"+step, "x")
			}
		}
		put(t, b, "a/"+step, "whole "+step)
		if got, err := storage.ReadAll(t.Context(), b, "a/"+step, 100); string(got) != "whole "+step {
			t.Errorf("%s: got %q, %v", step, got, err)
		}
	}
}

func TestPutWhoseFileIsTakenAway(t *testing.T) {
	b := open(t)
	b.step = func(step string) {
		if step == "synced" {
			for _, f := range files(t, b.dir) {
				if strings.Contains(f, tempPrefix) {
					_ = os.Remove(filepath.Join(b.dir, f))
				}
			}
		}
	}
	err := b.Put(t.Context(), "a/b", strings.NewReader("x"))
	if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrNotExist) {
		t.Errorf("got %v, want only %v", err, storage.ErrUnavailable)
	}
	wantFiles(t, b, "a/")
}
