package archive_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// The ways in which PostgreSQL, or somebody else, takes a segment away while it
// is read.
var takings = map[string]func(t *testing.T, path string){
	"recycled": func(t *testing.T, path string) { // under a future name, to be written anew
		if err := os.Rename(path, filepath.Join(filepath.Dir(path), "0000000200000000000000FF")); err != nil {
			t.Error(err)
		}
	},
	"replaced": func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path+".new", b, 0o600)
		}
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			t.Error(err)
		}
	},
	"rewritten": func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt(make([]byte, 512), 8192)
			_ = f.Close()
		}
		if err == nil { // as a clock tick later
			err = os.Chtimes(path, time.Time{}, time.Now().Add(time.Second))
		}
		if err != nil {
			t.Error(err)
		}
	},
	"rewritten unseen": func(t *testing.T, path string) {
		stat, err := os.Stat(path)
		if err == nil {
			err = os.WriteFile(path, make([]byte, stat.Size()), 0o600)
		}
		if err == nil {
			err = os.Chtimes(path, time.Time{}, stat.ModTime())
		}
		if err != nil {
			t.Error(err)
		}
	},
	"cut": func(t *testing.T, path string) {
		if err := os.Truncate(path, 8192); err != nil {
			t.Error(err)
		}
	},
	"removed": func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	},
}

// A segment that goes away between the first byte read and the last is not
// stored.
func TestPushDropsASegmentThatChanges(t *testing.T) {
	for name, take := range takings {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
			a := initArchive(t, flaky, newRing(t), h.dir, archive.Options{})
			w := waltest.New(small, 2, 0x300000)
			w.Fill(0)
			path := h.put(w.Name(3).String(), w.Segment(3))
			flaky.Fail = func(op, name string, n int) error {
				if op == "get" && strings.HasSuffix(name, "00000002.history") && n == 1 {
					take(t, path) // the file is open, and not read yet
				}
				return nil
			}
			_, err := a.Push(t.Context(), h.dir, path)
			if strings.HasPrefix(name, "rewritten") { // before it was read: it is no WAL any more
				wantRefusal(t, err, archive.ErrInvalid, "page at offset")
			} else {
				wantRefusal(t, err, archive.ErrChanged, "changed while it was read")
			}
			wantObjects(t, flaky)
		})
	}
}

// Segments too large for memory are read twice. What changes between the two
// readings is not stored, and no other attempt is made.
func TestPushDropsABigSegmentThatChanges(t *testing.T) {
	for name, take := range takings {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			path := h.full()
			puts := 0
			b := storage.WithRetry(hooked{newBucket(t), func(name string) {
				if strings.HasPrefix(name, "wal/") {
					puts++
					take(t, path)
				}
			}}, storage.Policy{}, nil)
			a := initArchive(t, b, newRing(t), h.dir, archive.Options{}.ReadTwice())
			_, err := a.Push(t.Context(), h.dir, path)
			wantRefusal(t, err, archive.ErrChanged, "changed while it was read")
			wantObjects(t, b)
			if puts != 1 {
				t.Errorf("%d puts of a file that is gone", puts)
			}
		})
	}
}

// A put that fails in mid-body and is repeated makes the body anew and leaves
// no producer behind, for which synctest looks.
func TestPushRepeatsABrokenStream(t *testing.T) {
	h := newHost(t, wal.Identity{SystemID: 7654321, Major: 17, SegmentSize: 16 << 20})
	flaky := &storagetest.Flaky{Bucket: newBucket(t)}
	ring := newRing(t)
	path := h.full()
	synctest.Test(t, func(t *testing.T) {
		a := initArchive(t, storage.WithRetry(flaky, storage.Policy{}, nil), ring, h.dir, archive.Options{}.ReadTwice())
		flaky.Fail = func(op, name string, n int) error {
			if op == "put" && n == 1 {
				return storagetest.Cut(10000)
			}
			return nil
		}
		if mustPush(t, a, h.dir, path).Already {
			t.Error("a put that was cut counts as stored")
		}
		wantContent(t, a, h.dir, h.Name(3).String(), h.Segment(3))
	})
}

// What is read in pieces is the same content as what is read at once, dead
// bytes behind a switch included.
func TestPushReadsTheSameInPieces(t *testing.T) {
	h := newHost(t, wal.Identity{SystemID: 7654321, Major: 17, SegmentSize: 16 << 20})
	b, ring := newBucket(t), newRing(t)
	atOnce := initArchive(t, b, ring, h.dir, archive.Options{})
	pieces := initArchive(t, b, ring, h.dir, archive.Options{}.ReadTwice())
	h.Fill(0)
	h.Skip(5 << 20)
	h.Switch()
	for no := wal.SegmentNo(3); no <= 4; no++ {
		seg := h.Segment(no)
		if no == 4 {
			seg = dirty(seg, h.behindSwitch(no))
		}
		path := h.put(h.Name(no).String(), seg)
		mustPush(t, pieces, h.dir, path)
		if !mustPush(t, atOnce, h.dir, path).Already {
			t.Errorf("segment %d is another content when read at once", no)
		}
		wantContent(t, pieces, h.dir, h.Name(no).String(), h.Segment(no))
	}
}

// A segment of 128 MiB is archived in memory that does not grow with it.
func TestPushOfABigSegmentIsBounded(t *testing.T) {
	h := newHost(t, wal.Identity{SystemID: 7654321, Major: 17, SegmentSize: 128 << 20})
	a := initArchive(t, newBucket(t), newRing(t), h.dir, archive.Options{Workers: 2})
	for range 120 {
		h.Skip(1 << 20)
	}
	path := h.full()
	before := allocated()
	mustPush(t, a, h.dir, path)
	if got := allocated() - before; got > 32<<20 {
		t.Errorf("%d bytes were allocated for a segment of %d", got, h.id.SegmentSize)
	}
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
