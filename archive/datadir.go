package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"walarchive/archive/wal"
	"walarchive/crypt/tde"
)

// DataDir is a server's data directory: the one whose WAL is pushed, or that
// restored WAL is for.
type DataDir struct {
	Path    string // absolute
	Major   int    // from PG_VERSION
	Control wal.Control
}

// FindDataDir finds the data directory that a command is about: setting if
// given; else, when file (the command's PATH or DEST) is absolute, the parent
// of its pg_wal, symbolic links unresolved as PostgreSQL forms such paths;
// else cwd, where PostgreSQL runs its commands. The result holds PG_VERSION
// and a sound global/pg_control, or the error wraps ErrDataDir.
//
// A setting that points to another data directory than the call's own is an
// error too: a server restored beside the one that the configuration was
// written for would get, or be taken for, the wrong cluster.
func FindDataDir(setting, file, cwd string) (*DataDir, error) {
	calls := cwd
	if dir := filepath.Dir(filepath.Clean(file)); filepath.IsAbs(file) && filepath.Base(dir) == "pg_wal" {
		calls = filepath.Dir(dir)
	}
	if setting == "" {
		return OpenDataDir(calls)
	}
	d, err := OpenDataDir(setting)
	if err == nil && file != "" && isDataDir(calls) && !sameFile(setting, calls) {
		err = fmt.Errorf("%w: cluster.pgdata is %s, but the call is about %s", ErrDataDir, setting, calls)
		return nil, advise(err, "leave cluster.pgdata out: the data directory is found from the call")
	}
	return d, err
}

func isDataDir(path string) bool {
	_, err := os.Stat(filepath.Join(path, "global", "pg_control"))
	return err == nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// OpenDataDir reads what identifies the data directory at path.
func OpenDataDir(path string) (*DataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	d := &DataDir{Path: path}
	if err := d.read(); err != nil {
		err = fmt.Errorf("%s: %w: %w", path, ErrDataDir, err)
		return nil, advise(err, "set cluster.pgdata, or run the command in the data directory as PostgreSQL does")
	}
	return d, nil
}

func (d *DataDir) read() error {
	version, err := os.ReadFile(filepath.Join(d.Path, "PG_VERSION"))
	if err != nil {
		return err
	}
	if d.Major, err = strconv.Atoi(strings.TrimSpace(string(version))); err != nil {
		return fmt.Errorf("PG_VERSION: %w", err)
	}
	if _, known := wal.PageMagic(d.Major); !known {
		return fmt.Errorf("PostgreSQL %d is none of 15 to 18", d.Major)
	}
	if d.Control, err = readControl(filepath.Join(d.Path, "global", "pg_control")); err != nil {
		return err
	}
	if got := d.Control.WALBlockSize; got != wal.PageSize {
		return fmt.Errorf("this server was built with WAL pages of %d bytes, only %d are known here", got, wal.PageSize)
	}
	return nil
}

// readControl reads a control file, again if a running server was just
// writing it.
func readControl(path string) (wal.Control, error) {
	for tries := 1; ; tries++ {
		b, err := os.ReadFile(path)
		if err != nil {
			return wal.Control{}, err
		}
		c, err := wal.ParseControl(b)
		if !errors.Is(err, wal.ErrControlCRC) || tries == 10 {
			return c, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Identity is what the pages of this server's WAL say.
func (d *DataDir) Identity() wal.Identity {
	return wal.Identity{SystemID: d.Control.SystemID, Major: d.Major, SegmentSize: d.Control.SegmentSize}
}

// Resolve makes the path of a command absolute: PostgreSQL gives it relative
// to the data directory.
func (d *DataDir) Resolve(file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(d.Path, file)
}

// histories reads the history files that lie in pg_wal. One that is being
// written or is damaged is passed over: it proves nothing.
func (d *DataDir) histories() ([]wal.History, error) {
	files, err := filepath.Glob(filepath.Join(d.Path, "pg_wal", "????????.history"))
	if err != nil {
		return nil, err
	}
	var hs []wal.History
	for _, f := range files {
		name, err := wal.ParseName(filepath.Base(f), d.Control.SegmentSize)
		if err != nil {
			continue
		}
		b, err := readSmall(f)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrInvalid) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if h, err := wal.ParseHistory(name.Segment.Timeline, b); err == nil {
			hs = append(hs, h)
		}
	}
	return hs, nil
}

// walKeys are the WAL keys of the directory's pg_tde. A server without it has
// none, and its segments are plaintext.
func (d *DataDir) walKeys(fetch tde.Fetch) (*tde.Keys, error) {
	path, found, err := tde.Find(d.Path)
	if err != nil {
		return nil, err
	}
	dir := tde.None(d.Path)
	if found {
		if dir, err = tde.Open(path); err != nil {
			return nil, err
		}
	}
	return tde.NewKeys(dir, fetch), nil
}

// cipher encrypts and decrypts one segment with the directory's WAL keys.
func (d *DataDir) cipher(ctx context.Context, fetch tde.Fetch, seg wal.Segment) (*tde.Cipher, error) {
	k, err := d.walKeys(fetch)
	if err != nil {
		return nil, err
	}
	return k.Cipher(ctx, seg)
}
