package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/archive/wal/waltest"
	"walarchive/storage"
)

// restoring is a server in recovery, with the agent that serves it.
type restoring struct {
	*server // whose archive it recovers from
	target  *archive.DataDir
	getter  *queue.Getter
	client  *queue.Client
}

// newRestoring archives n segments and starts an agent for a server that is to
// get them back.
func newRestoring(t testing.TB, n, depth int) (r *restoring, names []string) {
	t.Helper()
	s := newServer(t, small)
	names = s.pushAll(n)
	other := &server{t: t, id: small, dir: t.TempDir()}
	other.write("PG_VERSION", []byte("17\n"))
	other.write("global/pg_control", waltest.Control(small))
	other.write("pg_wal/archive_status/.keep", nil)
	d, err := archive.OpenDataDir(other.dir)
	if err != nil {
		t.Fatal(err)
	}
	p := queue.NewPrefetch(queue.PrefetchOptions{
		Depth: depth, Log: slog.New(slog.DiscardHandler), Room: queue.Room{Memory: 8 << 20, Spool: t.TempDir(), SpoolBytes: 8 << 20},
	})
	h := queue.NewHolder(func(ctx context.Context) (*archive.Archive, error) {
		return archive.Open(ctx, p.Over(hooked{s.store, s}), s.ring, archive.Options{Workers: 1, HistoryAge: time.Minute})
	})
	r = &restoring{server: s, target: d, getter: &queue.Getter{Dir: d.Path, Holder: h, Prefetch: p, Done: func(queue.Delivery) {}}}
	socket := serve(t, queue.Offer{Config: "c", Handlers: map[string]queue.Handler{queue.OpGet: queue.Handle(r.getter.Get)}})
	r.client = &queue.Client{Socket: socket, Config: "c"}
	t.Cleanup(func() { p.Close(); h.Drop() })
	return r, names
}

// pushAll archives n new segments.
func (s *server) pushAll(n int) []string {
	s.t.Helper()
	p, stop := s.pusher(false)
	defer stop()
	names := s.ready(n)
	for _, name := range names {
		if _, err := p.Push(s.t.Context(), s.question(name), none); err != nil {
			s.t.Fatal(err)
		}
	}
	return names
}

const recoveryDest = "pg_wal/RECOVERYXLOG"

// get asks for a file as a recovery does and compares it with the archived one.
func (r *restoring) get(name string) {
	r.t.Helper()
	if _, err := r.client.Get(r.t.Context(), r.target, name, recoveryDest, archive.GetOptions{}); err != nil {
		r.t.Fatalf("%s: %v", name, err)
	}
	dest := filepath.Join(r.target.Path, recoveryDest)
	got, err := os.ReadFile(dest)
	want, err2 := os.ReadFile(r.path(name))
	if err := errors.Join(err, err2, os.Remove(dest)); err != nil {
		r.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		r.t.Errorf("%s: %d bytes that are not the segment's", name, len(got))
	}
}

// inWAL lists what lies in the target's pg_wal.
func (r *restoring) inWAL() (names []string) {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.target.Path, "pg_wal"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// A recovery costs one request a segment, whether that was fetched ahead or
// not; how many objects there are beside it does not matter.
func TestGetsAskForEachSegmentOnce(t *testing.T) {
	for _, depth := range []int{0, 4} {
		t.Run(fmt.Sprint("depth ", depth), func(t *testing.T) {
			r, names := newRestoring(t, 12, depth)
			r.store.Reset()
			for _, name := range names {
				r.get(name)
			}
			r.getter.Prefetch.Close()
			asked := map[string]int{}
			for _, c := range r.store.Calls() {
				if c.Op != "get" && c.Name != "keys/" {
					t.Errorf("%s %s", c.Op, c.Name)
				}
				asked[filepath.Base(c.Name)]++
			}
			for _, name := range append(names, "00000002.history") {
				if asked[name] != 1 {
					t.Errorf("%s was asked for %d times", name, asked[name])
				}
			}
		})
	}
}

// Pushes do not list either.
func TestPushesDoNotList(t *testing.T) {
	s := newServer(t, small)
	s.pushAll(2)
	p, stop := s.pusher(false)
	defer stop()
	names := s.ready(3)
	if _, err := p.Push(t.Context(), s.question(names[0]), none); err != nil {
		t.Fatal(err)
	}
	s.store.Reset()
	for _, name := range names[1:] {
		if _, err := p.Push(t.Context(), s.question(name), none); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.store.Calls()); n != 2 {
		t.Errorf("two pushes made %d calls: %v", n, s.store.Calls())
	}
}

// Who does not recover gets the one file that it asks for.
func TestOtherThanRecoveriesFetchNothingAhead(t *testing.T) {
	r, names := newRestoring(t, 4, 4)
	if _, err := r.client.Get(t.Context(), r.target, names[0], "pg_wal/"+names[0], archive.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	r.getter.Prefetch.Close()
	for _, c := range r.store.Calls() {
		if strings.HasSuffix(c.Name, names[1]) && c.Op == "get" {
			t.Errorf("%s was fetched", c.Name)
		}
	}
}

// A segment behind the end is asked for anew each time, and there as soon as it
// is archived.
func TestEndIsAskedForAnew(t *testing.T) {
	r, names := newRestoring(t, 2, 4)
	r.get(names[0])
	r.get(names[1])
	name := r.segment(1)
	if _, err := r.client.Get(t.Context(), r.target, name, recoveryDest, archive.GetOptions{}); !errors.Is(err, archive.ErrEnd) {
		t.Fatalf("got %v, want %v", err, archive.ErrEnd)
	}
	p, stop := r.pusher(false)
	defer stop()
	if _, err := p.Push(t.Context(), r.question(name), none); err != nil {
		t.Fatal(err)
	}
	r.get(name)
}

// What does not authenticate is not handed over, fetched ahead or not, and is
// got as soon as it is mended.
func TestPrefetchedIsCheckedWhenItIsHandedOver(t *testing.T) {
	r, names := newRestoring(t, 3, 4)
	object, good := r.object(names[1])
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	r.replace(object, bad)
	r.get(names[0])
	_, err := r.client.Get(t.Context(), r.target, names[1], recoveryDest, archive.GetOptions{})
	if !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("got %v, want %v", err, archive.ErrDamaged)
	}
	if left := r.inWAL(); len(left) > 0 {
		t.Errorf("left in pg_wal: %v", left)
	}
	r.replace(object, good)
	r.get(names[1])
}

// object is where a segment lies, and its bytes.
func (s *server) object(name string) (object string, b []byte) {
	s.t.Helper()
	for info, err := range s.store.List(s.t.Context(), "wal/", "") {
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.HasSuffix(info.Name, "/"+name) {
			object = info.Name
		}
	}
	b, err := storage.ReadAll(s.t.Context(), s.store, object, 1<<30)
	if err != nil {
		s.t.Fatal(err)
	}
	return object, b
}

func (s *server) replace(object string, b []byte) {
	s.t.Helper()
	if err := errors.Join(s.store.Delete(s.t.Context(), object), s.store.Put(s.t.Context(), object, bytes.NewReader(b))); err != nil {
		s.t.Fatal(err)
	}
}

// A caller that stops waiting leaves nothing behind, and neither does the agent
// that comes to its senses later.
func TestCallerThatGaveUp(t *testing.T) {
	r, names := newRestoring(t, 1, 0)
	hang := make(chan struct{})
	r.hook = func(op, object string) error {
		if strings.HasSuffix(object, names[0]) {
			<-hang
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := r.client.Get(ctx, r.target, names[0], recoveryDest, archive.GetOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's end", err)
	}
	close(hang)
	r.getter.Prefetch.Close()
	if left := r.inWAL(); len(left) > 0 {
		t.Errorf("left in pg_wal: %v", left)
	}
}

// The agent writes for its own server, and only to what the caller has made
// for it.
func TestGetDeclines(t *testing.T) {
	r, names := newRestoring(t, 1, 0)
	into := filepath.Join(r.target.Path, "pg_wal/into")
	good := queue.GetQuestion{
		DataDir: r.target.Path, Name: names[0], Into: into, Dest: filepath.Join(r.target.Path, recoveryDest),
	}
	tests := map[string]func(q *queue.GetQuestion){
		"another server":      func(q *queue.GetQuestion) { q.DataDir = r.dir },
		"a file elsewhere":    func(q *queue.GetQuestion) { q.Into = filepath.Join(r.target.Path, "PG_VERSION") },
		"a relative path":     func(q *queue.GetQuestion) { q.Into, q.Dest = "pg_wal/into", recoveryDest },
		"a file not there":    func(*queue.GetQuestion) {},
		"a data directory no": func(q *queue.GetQuestion) { q.DataDir = t.TempDir() },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			q := good
			spoil(&q)
			var answer queue.GetAnswer
			if err := r.client.Ask(t.Context(), queue.OpGet, q, &answer); !errors.Is(err, queue.ErrNoAnswer) {
				t.Errorf("got %v, want %v", err, queue.ErrNoAnswer)
			}
		})
	}
}

// TestNothingIsLeftRunning restores many segments, jumps about, and looks for
// what stays behind.
func TestNothingIsLeftRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	var files int
	t.Run("restore", func(t *testing.T) {
		r, names := newRestoring(t, 40, 8)
		r.get(names[0])
		files = openFiles(t)
		for range 5 {
			for _, i := range []int{0, 1, 2, 20, 21, 5, 39} {
				r.get(names[i])
			}
			for _, name := range names {
				r.get(name)
			}
		}
		if n := openFiles(t); n > files+8 {
			t.Errorf("%d files are open, %d at first", n, files)
		}
	})
	goleak.VerifyNone(t, before)
}

func openFiles(t *testing.T) int {
	t.Helper()
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return len(names)
}

// What the first call opened outlives that call: stores go on using the
// context that they were opened with.
func TestHeldArchiveOutlivesTheCallThatOpenedIt(t *testing.T) {
	s := newServer(t, small)
	var opened []context.Context
	h := queue.NewHolder(func(ctx context.Context) (*archive.Archive, error) {
		opened = append(opened, ctx)
		return s.open(ctx)
	})
	use := func(ctx context.Context) error { return h.Use(ctx, func(*archive.Archive) error { return nil }) }
	ctx, cancel := context.WithCancel(t.Context())
	if err := use(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := errors.Join(use(t.Context()), opened[0].Err()); err != nil || len(opened) != 1 {
		t.Errorf("opened %d times, %v", len(opened), err)
	}
	h.Drop()
	if opened[0].Err() == nil {
		t.Error("it goes on after the archive was dropped")
	}
	if err := use(ctx); !errors.Is(err, context.Canceled) || slices.ContainsFunc(opened, func(c context.Context) bool { return c.Err() == nil }) {
		t.Errorf("got %v from a call that was over", err)
	}
}
