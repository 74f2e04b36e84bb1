package file

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"walarchive/storage"
)

// List yields objects in byte order. It reads one directory of each level at
// a time, and none that holds only names outside of what was asked for.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		root, err := b.root(ctx)
		if err != nil {
			yield(storage.Info{}, b.failure("list", prefix, err))
			return
		}
		defer root.Close()
		w := walk{ctx, root, prefix, after, yield}
		err = w.from()
		if err == nil {
			err = b.check()
		}
		if err != nil && err != errBreak {
			yield(storage.Info{}, b.failure("list", prefix, err))
		}
	}
}

// errBreak ends a walk whose caller wants no more.
var errBreak = errors.New("break")

type walk struct {
	ctx           context.Context
	root          *os.Root
	prefix, after string
	yield         func(storage.Info, error) bool
}

// from walks from the lowest directory that holds all names with the prefix.
func (w *walk) from() error {
	start := w.prefix[:strings.LastIndexByte(w.prefix, '/')+1]
	if start != "" && !storage.ValidName(strings.TrimSuffix(start, "/")) {
		return nil // no name begins like that
	}
	return w.dir(start)
}

// dir walks the directory at, which ends in a slash unless it is the root.
func (w *walk) dir(at string) error {
	d, err := openDir(w.root, cmp.Or(strings.TrimSuffix(at, "/"), "."))
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	entries, err := readDir(d)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.entry(d, at, e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(d *os.Root, at string, e fs.DirEntry) error {
	name := at + e.Name()
	if !storage.ValidName(name) || !w.mayHold(at+sortKey(e)) {
		return nil
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	switch {
	case e.IsDir():
		return w.dir(name + "/")
	case e.Type()&fs.ModeSymlink != 0:
		return storage.Classify(errors.New(name+" is a symbolic link"), storage.ErrInvalid,
			"put what it links to in its place, or mount it there")
	case e.Type().IsRegular():
		return w.file(d, name, e.Name())
	}
	return nil
}

// mayHold reports whether key, the name of a file or of a directory and a
// slash, is or begins a name that was asked for.
func (w *walk) mayHold(key string) bool {
	if strings.HasSuffix(key, "/") {
		return (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)) &&
			(key > w.after || strings.HasPrefix(w.after, key))
	}
	return strings.HasPrefix(key, w.prefix) && key > w.after
}

func (w *walk) file(d *os.Root, name, base string) error {
	info, err := d.Lstat(base)
	if absent(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	if !w.yield(storage.Info{Name: name, Size: info.Size(), ModTime: info.ModTime()}, nil) {
		return errBreak
	}
	return nil
}

// readDir reads a directory in the order of whole names, in which a directory
// comes where its name and a slash belong: a-b, a.b, a/b.
func readDir(d *os.Root) ([]fs.DirEntry, error) {
	f, err := d.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(sortKey(a), sortKey(b)) })
	return entries, err
}

func sortKey(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
