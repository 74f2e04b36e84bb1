package queue_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/keys"
	keyfile "walarchive/keys/file"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// small is a cluster with segments of 1 MiB.
var small = wal.Identity{SystemID: 7654321, Major: 17, SegmentSize: 1 << 20}

// server is a data directory with WAL in it, its archive in memory, and what
// an agent has for both.
type server struct {
	t     testing.TB
	id    wal.Identity
	dir   string
	next  wal.SegmentNo
	store *storagetest.Recorder
	hook  func(op, object string) error // before a put or get; nil: none
	ring  *keys.Ring
	opens int // of the archive
}

func newServer(t testing.TB, id wal.Identity) *server {
	t.Helper()
	s := &server{t: t, id: id, dir: t.TempDir(), next: 3}
	s.write("PG_VERSION", []byte("17\n"))
	s.write("global/pg_control", waltest.Control(id))
	s.write("pg_wal/archive_status/.keep", nil)
	s.store = &storagetest.Recorder{Bucket: storagetest.NewMemory()}
	p := keyfile.New(filepath.Join(t.TempDir(), "keyring"))
	ref := keys.Ref{Provider: "local", Key: "wal"}
	if _, err := p.Create(t.Context(), ref.Key); err != nil {
		t.Fatal(err)
	}
	s.ring = keys.NewRing(map[string]keys.Provider{"local": p})
	d, err := archive.OpenDataDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Init(t.Context(), s.store, s.ring, ref, d, false, archive.Options{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) write(name string, b []byte) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
		s.t.Fatal(err)
	}
}

// segment writes the next full segment of a timeline, without a mark.
func (s *server) segment(t wal.Timeline) string {
	s.t.Helper()
	w := waltest.New(s.id, t, wal.LSN(s.next)*wal.LSN(s.id.SegmentSize))
	w.Fill(0)
	name := w.Name(s.next).String()
	s.write("pg_wal/"+name, w.Segment(s.next))
	s.next++
	return name
}

// ready writes n full segments that are to be archived.
func (s *server) ready(n int) (names []string) {
	s.t.Helper()
	for range n {
		names = append(names, s.segment(1))
		s.mark(names[len(names)-1])
	}
	return names
}

func (s *server) mark(name string) { s.write("pg_wal/archive_status/"+name+".ready", nil) }

// archived does what PostgreSQL does once a push has succeeded.
func (s *server) archived(name string) {
	s.t.Helper()
	mark := filepath.Join(s.dir, "pg_wal/archive_status", name)
	if err := os.Rename(mark+".ready", mark+".done"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) path(name string) string { return filepath.Join(s.dir, "pg_wal", name) }

func (s *server) question(name string) queue.PushQuestion {
	s.t.Helper()
	f, err := queue.Stat(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return queue.PushQuestion{DataDir: s.dir, File: f}
}

func (s *server) open(ctx context.Context) (*archive.Archive, error) {
	s.opens++
	return archive.Open(ctx, hooked{s.store, s}, s.ring, archive.Options{Workers: 1})
}

// puts is how often the file called name was put into the store.
func (s *server) puts(name string) int {
	n := 0
	for _, c := range s.store.Calls() {
		if c.Op == "put" && strings.HasSuffix(c.Name, "/"+name) {
			n++
		}
	}
	return n
}

func (s *server) stored(name string) bool {
	s.t.Helper()
	for info, err := range s.store.List(s.t.Context(), "wal/", "") {
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.HasSuffix(info.Name, "/"+name) {
			return true
		}
	}
	return false
}

// pusher pushes for s; ahead too if it is asked to. It ends with the test, or
// with stop.
func (s *server) pusher(ahead bool) (_ *queue.Pusher, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	h := queue.NewHolder(s.open)
	p := queue.NewPusher(ctx, s.dir, h, queue.PushOptions{
		Timeout: time.Minute, Workers: 2, Memory: 8 << 20, Log: slog.New(slog.DiscardHandler),
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if ahead {
			p.Run(ctx)
		}
	}()
	return p, func() {
		cancel()
		<-ended
		p.Wait()
		h.Drop()
	}
}

func none() {}

// hooked is a server's store with its hook. Other than storagetest.Flaky it
// lets hooks of several calls wait at once.
type hooked struct {
	storage.Bucket
	s *server
}

func (h hooked) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	if err := h.before("put", name); err != nil {
		return err
	}
	return h.Bucket.Put(ctx, name, body)
}

func (h hooked) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := h.before("get", name); err != nil {
		return nil, err
	}
	return h.Bucket.Get(ctx, name, off, n)
}

func (h hooked) before(op, name string) error {
	if h.s.hook == nil {
		return nil
	}
	return h.s.hook(op, name)
}
