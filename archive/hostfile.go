package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// openFile opens a file of the server's for reading. Only a regular file will
// do, and nothing else is waited for, as the open of a FIFO would.
func openFile(path string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, advise(err, "does archive_command end in push %%p, and does PostgreSQL itself run it?")
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, advise(err, "run the command as the server's user")
	case err != nil:
		return nil, nil, err
	}
	stat, err := f.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = advise(fmt.Errorf("%w: it is no regular file", ErrInvalid), "does archive_command end in push %%p?")
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, stat, nil
}

// maxSmall bounds history and backup history files, in bytes.
const maxSmall = 1 << 20

// readSmall reads a history or backup history file.
func readSmall(path string) ([]byte, error) {
	b, _, err := readSmallFile(path)
	return b, err
}

// readSmallFile is readSmall, and what the file is.
func readSmallFile(path string) ([]byte, os.FileInfo, error) {
	f, stat, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	switch {
	case err != nil:
		return nil, nil, err
	case len(b) == 0:
		return nil, nil, unsound(errors.New("the file is empty"))
	case len(b) > maxSmall:
		return nil, nil, unsound(fmt.Errorf("more than %d bytes", maxSmall))
	}
	return b, stat, nil
}

// unsound makes an ErrInvalid of what is wrong with a file's bytes.
func unsound(cause error) error {
	return advise(fmt.Errorf("%w: %w", ErrInvalid, cause), "%s", unsoundHint)
}

const unsoundHint = "if there is no better copy (on a standby, in a backup), keep these bytes and go on: walarchive quarantine SEGMENT --reason TEXT"
