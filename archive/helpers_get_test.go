package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// recoveryDest is the path that a recovery asks segments under.
const recoveryDest = "pg_wal/RECOVERYXLOG"

// restore asks for a file as a recovery does and returns what is then there.
func restore(t testing.TB, a *archive.Archive, d *archive.DataDir, name string, o archive.GetOptions) ([]byte, *archive.Got, error) {
	t.Helper()
	dest := filepath.Join(d.Path, recoveryDest)
	if err := os.Remove(dest); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	got, err := a.Get(t.Context(), d, name, recoveryDest, o)
	if err != nil {
		if got != nil {
			t.Errorf("get %s: got %+v and %v", name, got, err)
		}
		wantNothing(t, d)
		return nil, nil, err
	}
	b, err := os.ReadFile(dest)
	if err != nil {
		t.Fatal(err)
	}
	return b, got, nil
}

// mustRestore is restore of a file that must be there.
func mustRestore(t testing.TB, a *archive.Archive, d *archive.DataDir, name string, want []byte) *archive.Got {
	t.Helper()
	b, got, err := restore(t, a, d, name, archive.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("%s: the restored bytes differ from offset %d on", name, firstDifference(b, want))
	}
	return got
}

// wantNothing checks that a get left nothing in pg_wal, not even half a file.
func wantNothing(t testing.TB, d *archive.DataDir) {
	t.Helper()
	for _, name := range inWAL(t, d) {
		if name != "archive_status" {
			t.Errorf("there is %s in pg_wal", name)
		}
	}
}

func inWAL(t testing.TB, d *archive.DataDir) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(d.Path, "pg_wal"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// zeroed is b with zeros from offset off on.
func zeroed(b []byte, off int) []byte {
	b = bytes.Clone(b)
	clear(b[off:])
	return b
}

// site is an archive, the server that fills it, and one that restores from it.
// faults.Fail may be set at any time; calls counts what reaches the store.
type site struct {
	*host
	a      *archive.Archive
	stored *storagetest.Memory
	faults *storagetest.Flaky
	calls  *storagetest.Recorder
	ring   *keys.Ring
	target *archive.DataDir
}

func newSite(t testing.TB, o archive.Options) *site {
	t.Helper()
	s := &site{host: newHost(t, small), stored: storagetest.NewMemory()}
	s.faults = &storagetest.Flaky{Bucket: s.stored}
	s.calls = &storagetest.Recorder{Bucket: s.faults}
	s.target = newHost(t, small).dir
	o.Host = "db1"
	s.ring = newRing(t)
	s.a = initArchive(t, s.calls, s.ring, s.dir, o)
	return s
}

// push archives bytes under a name.
func (s *site) push(name string, b []byte) string {
	s.t.Helper()
	path := s.put(name, b)
	object := mustPush(s.t, s.a, s.dir, path).Object
	if err := os.Remove(path); err != nil {
		s.t.Fatal(err)
	}
	return object
}

// fill archives n full segments and returns their bytes and objects, by name.
func (s *site) fill(n int) (names []string, content map[string][]byte) {
	s.t.Helper()
	content = map[string][]byte{}
	for range n {
		name := s.Name(wal.SegmentNo(uint64(s.LSN()) / uint64(s.id.SegmentSize)))
		s.Fill(0)
		names = append(names, name.String())
		content[name.String()] = s.Segment(name.No)
		s.push(name.String(), content[name.String()])
	}
	return names, content
}

// drop removes a WAL file from the archive.
func (s *site) drop(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if err := s.stored.Delete(s.t.Context(), s.object(name)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// object is where the WAL file called name lies.
func (s *site) object(name string) string {
	s.t.Helper()
	for _, o := range objects(s.t, s.stored) {
		if filepath.Base(o) == name {
			return o
		}
	}
	s.t.Fatalf("%s is not archived", name)
	return ""
}

// branchAt is the writer of timeline t, which leaves w's where w is now. w
// itself can go on, as an old leader does that nobody told.
func branchAt(w *waltest.Writer, t wal.Timeline) *waltest.Writer {
	child := w.Clone()
	child.Promote(t, 0)
	return child
}

// writeUp makes w write to the end of segment no and archives what it did in
// the segments from first to no.
func (s *site) writeUp(w *waltest.Writer, first, no wal.SegmentNo) {
	s.t.Helper()
	for uint64(w.LSN()) < uint64(no+1)*uint64(s.id.SegmentSize) {
		w.Fill(0)
	}
	for n := first; n <= no; n++ {
		s.push(w.Name(n).String(), w.Segment(n))
	}
}

// pushHistory archives the history of timeline t.
func (s *site) pushHistory(t wal.Timeline, entries ...wal.HistoryEntry) {
	s.t.Helper()
	h := wal.History{Timeline: t, Entries: entries}
	s.push(t.Hex()+".history", h.Bytes())
}

func left(parent wal.Timeline, at wal.LSN) wal.HistoryEntry {
	return wal.HistoryEntry{Parent: parent, Switch: at, Reason: "no recovery target specified"}
}

// seg is the name of segment no of timeline t of the small cluster.
func seg(t wal.Timeline, no wal.SegmentNo) string {
	return wal.Segment{Timeline: t, No: no, Size: small.SegmentSize}.String()
}

// wantError checks that err is of one of the kinds.
func wantError(t testing.TB, err error, kinds ...error) {
	t.Helper()
	if !slices.ContainsFunc(kinds, func(k error) bool { return errors.Is(err, k) }) {
		t.Errorf("got error %v, want one that is %v", err, kinds)
	}
}

// slowBucket gives objects out in small pieces.
type slowBucket struct{ storage.Bucket }

func (b *slowBucket) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := b.Bucket.Get(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	return pieces{r}, nil
}

type pieces struct{ io.ReadCloser }

func (p pieces) Read(b []byte) (int, error) { return p.ReadCloser.Read(b[:min(len(b), 1024)]) }

// encryptingTarget gives a server WAL keys that encrypt everything.
func encryptingTarget(t testing.TB, d *archive.DataDir) {
	t.Helper()
	tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(1, 0x100000)}}}.Write(t, d.Path, tde.Percona)
}

// forge archives a full segment of any timeline and number.
func (s *site) forge(seg wal.Segment) {
	s.t.Helper()
	w := waltest.New(s.id, seg.Timeline, seg.Start())
	w.Fill(0)
	s.push(seg.String(), w.Segment(seg.No))
}

// open opens the site's archive for a server with WAL keys.
func (s *site) open(d *archive.DataDir) *archive.Archive {
	s.t.Helper()
	a, err := archive.Open(s.t.Context(), s.calls, s.ring, archive.Options{TDE: fetchFrom(d.Path)})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// encrypted is a server of the small cluster that encrypts all its WAL.
func encrypted(t testing.TB) *archive.DataDir {
	t.Helper()
	d := newHost(t, small).dir
	encryptingTarget(t, d)
	return d
}

// decrypt does to b what the server of d would do, in either direction.
func decrypt(t testing.TB, d *archive.DataDir, fetch tde.Fetch, name string, b []byte) {
	t.Helper()
	dir, err := tde.Open(filepath.Join(d.Path, string(tde.Percona)))
	if err != nil {
		t.Fatal(err)
	}
	segment, err := wal.ParseSegment(name, d.Control.SegmentSize)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tde.NewKeys(dir, fetch).Cipher(t.Context(), segment)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Encrypted() {
		t.Fatal("the server's keys leave the segment in plaintext")
	}
	c.XOR(b, 0)
}
