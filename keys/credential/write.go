package credential

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"walarchive/keys"
)

// replace gives the file path new content, as a whole and durably. CreateTemp
// makes it readable for this account only.
func replace(path string, b []byte) error {
	return write(path, b, os.Rename)
}

// createHostKey makes a host key, unless another process was faster.
func createHostKey(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	b := make([]byte, hostKeySize)
	defer clear(b)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	err := write(path, b, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// write fills a new file and lets place give it its name.
func write(path string, b []byte, place func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
		}
	}()
	f, err := os.CreateTemp(dir, ".walarchive-new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it has no such name
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
