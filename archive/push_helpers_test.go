package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/crypt"
	"walarchive/keys"
	keyfile "walarchive/keys/file"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// small is a cluster with segments of 1 MiB.
var small = wal.Identity{SystemID: 7654321, Major: 17, SegmentSize: 1 << 20}

// host is a server with synthetic WAL, from segment 3 of timeline 1 on.
type host struct {
	t   testing.TB
	id  wal.Identity
	dir *archive.DataDir
	*waltest.Writer
}

func newHost(t testing.TB, id wal.Identity) *host {
	t.Helper()
	path := t.TempDir()
	for name, b := range map[string][]byte{
		"PG_VERSION":               []byte(strconv.Itoa(id.Major) + "\n"),
		"global/pg_control":        waltest.Control(id),
		"pg_wal/archive_status/.k": nil,
	} {
		file := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &host{t, id, dataDir(t, path), waltest.New(id, 1, 3*wal.LSN(id.SegmentSize))}
}

// path is where the file called name lies in pg_wal.
func (h *host) path(name string) string { return filepath.Join(h.dir.Path, "pg_wal", name) }

// put writes a file into pg_wal and returns its path.
func (h *host) put(name string, b []byte) string {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), b, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return h.path(name)
}

// putSegment writes segment no, as it is now, into pg_wal.
func (h *host) putSegment(no wal.SegmentNo) string {
	h.t.Helper()
	return h.put(h.Name(no).String(), h.Segment(no))
}

// full fills a segment to its end and returns its path in pg_wal.
func (h *host) full() string {
	h.t.Helper()
	no := wal.SegmentNo(uint64(h.LSN()) / uint64(h.id.SegmentSize))
	h.Fill(0)
	return h.putSegment(no)
}

// switched closes a segment early and returns its path in pg_wal.
func (h *host) switched() string {
	h.t.Helper()
	no := wal.SegmentNo(uint64(h.LSN()) / uint64(h.id.SegmentSize))
	h.Skip(512)
	h.Switch()
	return h.putSegment(no)
}

// initArchive makes an archive for d in b.
func initArchive(t testing.TB, b storage.Bucket, ring *keys.Ring, d *archive.DataDir, o archive.Options) *archive.Archive {
	t.Helper()
	a, err := archive.Init(t.Context(), b, ring, principal, d, false, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// generations are providers of these names, with one key of their own each.
func generations(t testing.TB, names ...string) map[string]keys.Provider {
	t.Helper()
	all := map[string]keys.Provider{}
	for _, name := range names {
		p := keyfile.New(filepath.Join(t.TempDir(), "keyring"))
		if _, err := p.Create(t.Context(), generation(name).Key); err != nil {
			t.Fatal(err)
		}
		all[name] = p
	}
	return all
}

// generation is the principal key in the provider of that name.
func generation(name string) keys.Ref { return keys.Ref{Provider: name, Key: "wal"} }

// rotate makes these generations the archive's, one after the other.
func rotate(t testing.TB, a *archive.Archive, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := a.RotatePrincipal(t.Context(), generation(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// newArchive is a new archive for the host's cluster, in memory.
func (h *host) newArchive() (*archive.Archive, *storagetest.Memory) {
	h.t.Helper()
	b := storagetest.NewMemory()
	return initArchive(h.t, b, newRing(h.t), h.dir, archive.Options{Host: "db1"}), b
}

// mustPush pushes a file that must be accepted.
func mustPush(t testing.TB, a *archive.Archive, d *archive.DataDir, path string) *archive.Pushed {
	t.Helper()
	done, err := a.Push(t.Context(), d, path)
	if err != nil {
		t.Fatalf("push %s: %v", filepath.Base(path), err)
	}
	return done
}

// wantRefusal checks an error of kind that says text and helps an operator: one
// line, and a hint of one line.
func wantRefusal(t testing.TB, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got error %v, want one that is %q", err, kind)
	}
	if s := err.Error(); !strings.Contains(s, text) || strings.Contains(s, "\n") {
		t.Errorf("got error %q, want one line with %q", s, text)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() == "" || strings.Contains(h.Hint(), "\n") {
		t.Errorf("error %q: no hint of one line", err)
	}
}

// objects lists the names in b.
func objects(t testing.TB, b storage.Bucket) []string {
	t.Helper()
	var names []string
	for info, err := range b.List(context.Background(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

// isProbe reports whether an init or check that was killed left an object.
func isProbe(name string) bool { return strings.HasPrefix(name, "probe/") }

// wantObjects checks the names in b but for those of a new archive.
func wantObjects(t testing.TB, b storage.Bucket, want ...string) {
	t.Helper()
	var got []string
	for _, name := range objects(t, b) {
		if name != "cluster.json" && !strings.HasPrefix(name, "keys/") && !isProbe(name) {
			got = append(got, name)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("stored are %q, want %q", got, want)
	}
}

// content restores what is archived as name, by hand and not by recovery.
func content(t testing.TB, a *archive.Archive, d *archive.DataDir, name string) []byte {
	t.Helper()
	dest := filepath.Join(t.TempDir(), name)
	if _, err := a.Get(t.Context(), d, name, dest, archive.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dest)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantContent checks what is archived as name.
func wantContent(t testing.TB, a *archive.Archive, d *archive.DataDir, name string, want []byte) {
	t.Helper()
	if got := content(t, a, d, name); !bytes.Equal(got, want) {
		t.Errorf("the content of %s is %v, want %v", name, crypt.DigestBytes(got), crypt.DigestBytes(want))
	}
}

// sealed is the object called name as it is stored.
func sealed(t testing.TB, b storage.Bucket, name string) []byte {
	t.Helper()
	p, err := storage.ReadAll(context.Background(), b, name, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// overwrite puts other bytes under the name of a stored object, as a failing
// disk would.
func overwrite(t testing.TB, b storage.Bucket, name string, p []byte) {
	t.Helper()
	if err := b.Delete(context.Background(), name); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(context.Background(), name, bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
}

// flip is p with one bit changed.
func flip(p []byte, off int) []byte {
	p = bytes.Clone(p)
	p[off] ^= 0x10
	return p
}

// hooked calls before ahead of each Put.
type hooked struct {
	storage.Bucket
	before func(name string)
}

func (h hooked) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	h.before(name)
	return h.Bucket.Put(ctx, name, body)
}
