package pgtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/cmd/internal/teststores"
)

// What follows is for archives in a directory only: any other store ends the
// test.

func (a *Archive) dir() string { a.t.Helper(); return a.Store.Directory(a.t) }

// Copy is an archive of the same content in a store of its own, which belongs
// to another test.
func (a *Archive) Copy(t testing.TB) *Archive {
	t.Helper()
	b := *a
	b.t = t
	c := a.Config
	store := filepath.Join(Scratch(t), "store")
	MustRun(t, "/", "cp", "-a", a.dir(), store)
	c.Store = teststores.Directory(store)
	return b.With(c)
}

// Objects lists the paths of the stored objects whose name begins with name,
// in the order of their paths.
func (a *Archive) Objects(name string) []string {
	a.t.Helper()
	var found []string
	err := filepath.WalkDir(a.dir(), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // a temporary file that is gone again
			return nil
		case err == nil && !d.IsDir() && strings.HasPrefix(d.Name(), name):
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return found
}

// Object is the path of the one stored object of that name.
func (a *Archive) Object(name string) string {
	a.t.Helper()
	for _, path := range a.Objects(name) {
		if filepath.Base(path) == name {
			return path
		}
	}
	a.t.Fatalf("%s is not in the archive", name)
	return ""
}

// KeyChain is the path of the key chain's first entry, which every command
// reads.
func (a *Archive) KeyChain() string {
	a.t.Helper()
	return filepath.Join(a.dir(), "main/keys/00000001")
}

// MoveAway takes the store away, as if its file system were unmounted.
func (a *Archive) MoveAway() {
	a.t.Helper()
	if err := os.Rename(a.dir(), a.dir()+".away"); err != nil {
		a.t.Fatal(err)
	}
}
