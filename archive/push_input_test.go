package archive_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

// Each bad file is refused with one line that names the cause and a hint, and
// nothing of it is stored.
func TestPushRefusesBadFiles(t *testing.T) {
	const page = wal.PageSize
	last := int(small.SegmentSize) - page
	foreign := func(id wal.Identity) func(h *host, b []byte) string {
		return func(h *host, b []byte) string {
			w := waltest.New(id, 1, 3*wal.LSN(id.SegmentSize))
			w.Fill(0)
			return h.put("000000010000000000000003", w.Segment(3))
		}
	}
	changed := func(change func(b []byte) []byte) func(h *host, b []byte) string {
		return func(h *host, b []byte) string { return h.put("000000010000000000000003", change(b)) }
	}
	flipped := func(off int) func(h *host, b []byte) string {
		return changed(func(b []byte) []byte { return flip(b, off) })
	}
	named := func(name string) func(h *host, b []byte) string {
		return func(h *host, b []byte) string { return h.put(name, b) }
	}
	for _, c := range []struct {
		name string
		file func(h *host, b []byte) string // makes it of a full segment 3, and gives its path
		kind error
		text string
	}{
		{"missing", func(h *host, b []byte) string { return h.path("000000010000000000000004") }, fs.ErrNotExist, "no such file"},
		{"empty", changed(func(b []byte) []byte { return nil }), archive.ErrInvalid, "the file is empty"},
		{"truncated", changed(func(b []byte) []byte { return b[:last] }), archive.ErrInvalid, "1040384 bytes, this cluster's segments have 1048576"},
		{"oversized", changed(func(b []byte) []byte { return append(b, make([]byte, page)...) }), archive.ErrInvalid, "1056768 bytes"},
		{"all zero", changed(func(b []byte) []byte { return make([]byte, len(b)) }), archive.ErrInvalid, "magic is 0x0000"},
		{"all ones", changed(func(b []byte) []byte { return bytes.Repeat([]byte{0xFF}, len(b)) }), archive.ErrInvalid, "magic is 0xFFFF"},
		{"of another system", foreign(wal.Identity{SystemID: 8, Major: 17, SegmentSize: 1 << 20}), archive.ErrForeign, "of system 8 (PostgreSQL 17, segments of 1 MiB), this server is system 7654321"},
		{"of another major", foreign(wal.Identity{SystemID: small.SystemID, Major: 16, SegmentSize: 1 << 20}), archive.ErrForeign, "PostgreSQL 16"},
		{"of another segment size", foreign(wal.Identity{SystemID: small.SystemID, Major: 17, SegmentSize: 2 << 20}), archive.ErrInvalid, "2097152 bytes"},
		{"of another segment size, cut", func(h *host, _ []byte) string {
			w := waltest.New(wal.Identity{SystemID: small.SystemID, Major: 17, SegmentSize: 2 << 20}, 1, 2<<20)
			w.Fill(0)
			return h.put("000000010000000000000002", w.Segment(1)[:1<<20])
		}, archive.ErrForeign, "segments of 2 MiB"},
		{"under another number", named("000000010000000000000004"), archive.ErrInvalid, "address is 0/300000, want 0/400000"},
		{"under an older timeline", func(h *host, _ []byte) string {
			h.Promote(2, 0)
			h.Fill(0)
			return h.put("000000010000000000000004", h.Segment(4))
		}, archive.ErrInvalid, "timeline is 2, want 1"},
		{"noise in the middle", changed(func(b []byte) []byte { copy(b[64*page:], bytes.Repeat([]byte{0xA5, 0x5A, 0x3C}, page)); return b }), archive.ErrInvalid, "page at offset 524288: magic"},
		{"zeros at the end", changed(func(b []byte) []byte { clear(b[last:]); return b }), archive.ErrInvalid, "page at offset 1040384: magic is 0x0000"},
		{"bit in a record of the first page", flipped(2000), archive.ErrInvalid, "wrong CRC"},
		{"bit in a record of a middle page", flipped(64*page + 2000), archive.ErrInvalid, "wrong CRC"},
		{"bit in a record of the last page", flipped(last + 2000), archive.ErrInvalid, "wrong CRC"},
		{"bit in the first header", flipped(9), archive.ErrInvalid, "page at offset 0: address"},
		{"bit in a middle header", flipped(64*page + 9), archive.ErrInvalid, "page at offset 524288: address"},
		{"bit in the last header", flipped(last + 9), archive.ErrInvalid, "page at offset 1040384: address"},
		{"rest of a record in a header", flipped(64*page + 16), archive.ErrInvalid, "page at offset 524288: rest of a record"},
		{"directory", func(h *host, _ []byte) string {
			mkdir(t, h.path("000000010000000000000009"))
			return h.path("000000010000000000000009")
		}, archive.ErrInvalid, "no regular file"},
		{"fifo", func(h *host, _ []byte) string { return mkfifo(t, h.path("000000010000000000000009")) }, archive.ErrInvalid, "no regular file"},
		{"fifo for a history", func(h *host, _ []byte) string { return mkfifo(t, h.path("00000009.history")) }, archive.ErrInvalid, "no regular file"},
		{"no WAL name", named("postgresql.conf"), wal.ErrName, "postgresql.conf"},
		{"lower-case name", named("00000001000000000000000a"), wal.ErrName, "00000001000000000000000a"},
		{"name of another segment size", named("000000010000000000001000"), wal.ErrName, "with segments of 1048576 bytes"},
		{"empty history", func(h *host, _ []byte) string { return h.put("00000002.history", nil) }, archive.ErrInvalid, "the file is empty"},
		{"cut history", func(h *host, _ []byte) string { return h.put("00000002.history", []byte("1\t0/3000")) }, archive.ErrInvalid, "its last line is cut off"},
		{"huge history", func(h *host, _ []byte) string { return h.put("00000002.history", bytes.Repeat([]byte("#\n"), 1<<20)) }, archive.ErrInvalid, "more than 1048576 bytes"},
		{"empty backup history", func(h *host, _ []byte) string { return h.put("000000010000000000000003.00000028.backup", nil) }, archive.ErrInvalid, "the file is empty"},
		{"partial without any WAL", func(h *host, b []byte) string { return h.put("000000010000000000000003.partial", make([]byte, len(b))) }, archive.ErrInvalid, "magic is 0x0000"},
		{"cut partial", func(h *host, b []byte) string { return h.put("000000010000000000000003.partial", b[:page]) }, archive.ErrInvalid, "8192 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, small)
			a, b := h.newArchive()
			h.Fill(0)
			path := c.file(h, h.Segment(3))
			_, err := a.Push(t.Context(), h.dir, path)
			wantRefusal(t, err, c.kind, c.text)
			wantObjects(t, b)
		})
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func mkfifo(t *testing.T, path string) string {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file in pg_wal that only looks like a history keeps nothing from being
// archived, a FIFO least of all.
func TestPushPassesOverBrokenHistories(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	h.put("00000002.history", []byte("1\t0/30"))
	mkdir(t, h.path("00000003.history"))
	mkfifo(t, h.path("00000004.history"))
	h.Skip(512)
	path := h.put("000000010000000000000003.partial", h.Segment(3))
	if got := mustPush(t, a, h.dir, path).Proof; got != archive.ProofNone {
		t.Errorf("got proof %q, want %q", got, archive.ProofNone)
	}
}

// PostgreSQL hands over a path relative to the data directory; pg_wal may be a
// symbolic link.
func TestPushFindsPathsAsPostgreSQLFormsThem(t *testing.T) {
	h := newHost(t, small)
	elsewhere := filepath.Join(t.TempDir(), "wal")
	if err := os.Rename(filepath.Join(h.dir.Path, "pg_wal"), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(h.dir.Path, "pg_wal")); err != nil {
		t.Fatal(err)
	}
	a, _ := h.newArchive()
	absolute := h.full()
	if mustPush(t, a, h.dir, "pg_wal/"+filepath.Base(absolute)).Already {
		t.Error("a new segment was there already")
	}
	d, err := archive.FindDataDir("", absolute, "/")
	if err != nil {
		t.Fatal(err)
	}
	if !mustPush(t, a, d, absolute).Already {
		t.Error("the absolute path is another segment than the relative one")
	}
}

// A configuration written for one server must not decide for another that was
// restored beside it.
func TestFindDataDirRefusesASettingForAnotherServer(t *testing.T) {
	mine, other := newHost(t, small), newHost(t, small)
	segment := "/pg_wal/000000010000000000000003"
	for name, call := range map[string]struct{ file, cwd string }{
		"absolute": {other.dir.Path + segment, "/"},
		"relative": {"pg_wal/RECOVERYXLOG", other.dir.Path},
	} {
		_, err := archive.FindDataDir(mine.dir.Path, call.file, call.cwd)
		wantRefusal(t, err, archive.ErrDataDir, "but the call is about "+other.dir.Path)
		if _, err := archive.FindDataDir(mine.dir.Path, "", other.dir.Path); err != nil {
			t.Errorf("%s: without a file: %v", name, err)
		}
	}
	link := filepath.Join(t.TempDir(), "main")
	if err := os.Symlink(mine.dir.Path, link); err != nil {
		t.Fatal(err)
	}
	for _, call := range []struct{ file, cwd string }{
		{mine.dir.Path + segment, "/"}, {link + segment, "/"}, {"pg_wal/RECOVERYXLOG", link}, {"/tmp/x", "/"},
	} {
		if _, err := archive.FindDataDir(mine.dir.Path, call.file, call.cwd); err != nil {
			t.Errorf("%s from %s: %v", call.file, call.cwd, err)
		}
	}
}

func TestFindDataDirRefusesOtherDirectories(t *testing.T) {
	h := newHost(t, small)
	for name, find := range map[string]func() (*archive.DataDir, error){
		"setting":  func() (*archive.DataDir, error) { return archive.FindDataDir(t.TempDir(), "", h.dir.Path) },
		"missing":  func() (*archive.DataDir, error) { return archive.FindDataDir("/nowhere", "", h.dir.Path) },
		"absolute": func() (*archive.DataDir, error) { return archive.FindDataDir("", "/nowhere/pg_wal/x", h.dir.Path) },
		"cwd":      func() (*archive.DataDir, error) { return archive.FindDataDir("", "pg_wal/x", t.TempDir()) },
		"PostgreSQL 14": func() (*archive.DataDir, error) {
			old := newHost(t, small)
			file := filepath.Join(old.dir.Path, "PG_VERSION")
			if err := os.WriteFile(file, []byte("14\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return archive.FindDataDir(old.dir.Path, "", "")
		},
		"damaged pg_control": func() (*archive.DataDir, error) {
			broken := newHost(t, small)
			file := filepath.Join(broken.dir.Path, "global", "pg_control")
			if err := os.WriteFile(file, flip(waltest.Control(small), 5), 0o600); err != nil {
				t.Fatal(err)
			}
			return archive.FindDataDir(broken.dir.Path, "", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := find()
			wantRefusal(t, err, archive.ErrDataDir, "not a PostgreSQL data directory")
		})
	}
}

// A file that the server's user cannot read says so.
func TestPushNeedsAReadableFile(t *testing.T) {
	h := newHost(t, small)
	a, b := h.newArchive()
	path := h.full()
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	err := asNobody(t, func() error {
		_, err := a.Push(t.Context(), h.dir, path)
		return err
	})
	wantRefusal(t, err, fs.ErrPermission, "permission denied")
	wantObjects(t, b)
	if errors.Is(err, archive.ErrInvalid) {
		t.Error("the file counts as invalid though nobody read it")
	}
}
