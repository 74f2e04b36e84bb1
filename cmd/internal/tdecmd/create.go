package tdecmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"walarchive/cmd/internal/command"
)

// create makes a file that appears under its name only complete, and durable.
// A name that is taken stays as it is.
func create(path string, fill func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return taken(path) // early: the work would be for nothing
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".walarchive-*")
	if err != nil {
		return err
	}
	defer func() {
		_ = f.Close()
		err = errors.Join(err, os.Remove(f.Name()))
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		return taken(path)
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func taken(path string) error {
	return command.WithHint(fmt.Errorf("%s: %w", path, fs.ErrExist), "nothing is overwritten: remove the file, or choose another name")
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
