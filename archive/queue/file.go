package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// File says which file it is that a call is about. A segment that PostgreSQL
// recycles keeps its inode and gets another name and another time; one that is
// replaced gets another inode.
type File struct {
	Path    string    `json:"path"` // absolute
	Device  uint64    `json:"device,string"`
	Inode   uint64    `json:"inode,string"`
	Size    int64     `json:"size,string"`
	ModTime time.Time `json:"mtime"`
}

// Stat looks at the file at path, which is absolute.
func Stat(path string) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	return identify(path, info), nil
}

func identify(path string, info fs.FileInfo) File {
	f := File{Path: filepath.Clean(path), Size: info.Size(), ModTime: info.ModTime().UTC()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Device, f.Inode = uint64(st.Dev), st.Ino
	}
	return f
}

// same reports whether both are one file, unchanged.
func (f File) same(g File) bool {
	return f.Path == g.Path && f.Device == g.Device && f.Inode == g.Inode && f.Size == g.Size && f.ModTime.Equal(g.ModTime)
}

var (
	errAnother  = errors.New("another file has its name now")
	errNotReady = errors.New("PostgreSQL does not want it archived any more")
)
