//go:build integration && !race

package queue_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"walarchive/archive/queue"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/storage"
)

// sink takes WAL and keeps none of it.
type sink struct{ storage.Bucket }

func (s sink) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	if !strings.HasPrefix(name, "wal/") {
		return s.Bucket.Put(ctx, name, body)
	}
	_, err := io.Copy(io.Discard, body)
	return err
}

// TestLeaks: after 10,000 segments the agent has as many goroutines and open
// files as after 1,000, and in the end none.
func TestLeaks(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("10,000 segments", tenThousand) // its clean-up ends the server
}

func tenThousand(t *testing.T) {
	s := newServer(t, small)
	s.store.Bucket = sink{s.store.Bucket}
	p, stop := s.pusher(true)
	t.Cleanup(stop)
	socket := serve(t, queue.Offer{Handlers: map[string]queue.Handler{queue.OpPush: queue.Handle(p.Push)}})
	c := queue.Client{Socket: socket}
	w := waltest.New(small, 1, wal.LSN(s.next)<<20)
	var goroutines, files int
	ahead := 0
	for n := range 10_000 / 2 {
		names := []string{s.from(w), s.from(w)}
		for _, name := range names {
			a, err := c.Push(t.Context(), s.question(name))
			if err != nil {
				t.Fatal(err)
			}
			if a.Ahead {
				ahead++
			}
			s.archived(name)
			if err := os.Remove(s.path(name)); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(s.dir, "pg_wal/archive_status", name+".done")); err != nil {
				t.Fatal(err)
			}
		}
		if n == 500 {
			goroutines, files = runtime.NumGoroutine(), openFiles(t)
		}
	}
	// A few may be at work at either moment.
	const some = 8
	if g, f := runtime.NumGoroutine(), openFiles(t); g > goroutines+some || f > files+some {
		t.Errorf("%d goroutines and %d files after 10,000 segments, %d and %d after 1,000", g, f, goroutines, files)
	}
	t.Logf("%d of 10,000 were pushed ahead; %d goroutines, %d files", ahead, goroutines, files)
	if s.opens != 1 {
		t.Errorf("the archive was opened %d times", s.opens)
	}
}

// from writes the next segment of w, with its mark.
func (s *server) from(w *waltest.Writer) string {
	s.t.Helper()
	w.Fill(0)
	name := w.Name(s.next).String()
	s.write("pg_wal/"+name, w.Segment(s.next))
	w.Forget(s.next)
	s.mark(name)
	s.next++
	return name
}
