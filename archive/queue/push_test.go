package queue_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/storage"
)

// One call, and the agent does what is ready: the next calls find it done.
func TestPushesAhead(t *testing.T) {
	s := newServer(t, small)
	names := s.ready(10)
	synctest.Test(t, func(t *testing.T) {
		p, stop := s.pusher(true)
		defer stop()
		for i, name := range names {
			a, err := p.Push(t.Context(), s.question(name), none)
			if err != nil {
				t.Fatal(err)
			}
			if a.Ahead != (i > 0) {
				t.Errorf("%s: ahead is %v", name, a.Ahead)
			}
			if !s.stored(name) || s.puts(name) != 1 {
				t.Errorf("%s: stored %v, put %d times", name, s.stored(name), s.puts(name))
			}
			s.archived(name)
			time.Sleep(5 * time.Second)
		}
	})
	if s.opens != 1 {
		t.Errorf("the archive was opened %d times", s.opens)
	}
}

// Those who ask for a file that is on its way wait for that very push.
func TestOnePushForAll(t *testing.T) {
	s := newServer(t, small)
	name := s.ready(1)[0]
	synctest.Test(t, func(t *testing.T) {
		s.hook = func(op, object string) error {
			if op == "put" && strings.HasSuffix(object, name) {
				time.Sleep(20 * time.Second)
			}
			return nil
		}
		p, stop := s.pusher(true)
		defer stop()
		q := s.question(name)
		var calls sync.WaitGroup
		for range 5 {
			calls.Go(func() {
				if _, err := p.Push(t.Context(), q, none); err != nil || !s.stored(name) {
					t.Errorf("got %v, stored %v", err, s.stored(name))
				}
			})
		}
		calls.Wait()
	})
	if n := s.puts(name); n != 1 {
		t.Errorf("%d puts", n)
	}
}

// What is asked for another file than the one stored under its path is not
// answered from memory.
func TestAnotherFile(t *testing.T) {
	s := newServer(t, small)
	name := s.ready(1)[0]
	p, stop := s.pusher(false)
	defer stop()
	stale := s.question(name)
	if _, err := p.Push(t.Context(), stale, none); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(b)
	changed[len(b)-1] ^= 1
	s.write("pg_wal/new", changed)
	if err := os.Rename(s.path("new"), s.path(name)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Push(t.Context(), s.question(name), none); !errors.Is(err, archive.ErrInvalid) && !errors.Is(err, archive.ErrConflict) {
		t.Errorf("another file: got %v, want a refusal", err)
	}
	if err := os.Remove(s.path(name)); err != nil {
		t.Fatal(err)
	}
	s.write("pg_wal/"+name, b)
	stale.File.Inode++
	if _, err := p.Push(t.Context(), stale, none); !errors.Is(err, archive.ErrChanged) {
		t.Errorf("a file that has gone: got %v, want %v", err, archive.ErrChanged)
	}
}

// A segment that PostgreSQL takes back while it is read ahead is not stored;
// one that somebody asked for is, mark or no mark.
func TestMarkGone(t *testing.T) {
	for name, tt := range map[string]struct {
		asked  bool
		stored bool
	}{"ahead": {false, false}, "asked for": {true, true}} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, small)
			first, second := s.segment(1), s.segment(2)
			gone := false
			s.mark(second)
			synctest.Test(t, func(t *testing.T) {
				p, stop := s.pusher(true)
				defer stop()
				s.hook = func(op, object string) error {
					if op == "get" && strings.HasSuffix(object, "00000002.history") && !gone { // second is open, not yet read
						gone = true
						s.archived(second)
						time.Sleep(time.Second)
					}
					return nil
				}
				if _, err := p.Push(t.Context(), s.question(first), none); err != nil {
					t.Fatal(err)
				}
				time.Sleep(500 * time.Millisecond)
				if tt.asked {
					if _, err := p.Push(t.Context(), s.question(second), none); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(10 * time.Second)
				if s.stored(second) != tt.stored {
					t.Errorf("stored: %v, want %v", s.stored(second), tt.stored)
				}
			})
		})
	}
}

// Push-ahead goes on only while calls come, and marks without files are no
// trouble.
func TestAheadOnlyWhileCalled(t *testing.T) {
	s := newServer(t, small)
	first := s.ready(1)[0]
	s.mark("000000010000000000000001") // an orphan
	synctest.Test(t, func(t *testing.T) {
		p, stop := s.pusher(true)
		defer stop()
		waiting := s.ready(1)[0]
		time.Sleep(time.Hour)
		if s.stored(waiting) {
			t.Error("pushed ahead though nobody ever called")
		}
		if _, err := p.Push(t.Context(), s.question(first), none); err != nil {
			t.Fatal(err)
		}
		time.Sleep(110 * time.Second)
		if !s.stored(waiting) {
			t.Error("not pushed ahead")
		}
		soon := s.ready(1)[0]
		time.Sleep(5 * time.Second)
		if !s.stored(soon) {
			t.Error("not pushed ahead within two minutes of a call")
		}
		time.Sleep(10 * time.Second)
		late := s.ready(1)[0]
		time.Sleep(time.Hour)
		if s.stored(late) {
			t.Error("pushed ahead though nobody calls any more")
		}
	})
}

// A failure is the caller's, is not remembered as done, and holds push-ahead
// back; the next call tries anew.
func TestFailure(t *testing.T) {
	s := newServer(t, small)
	names := s.ready(10)
	synctest.Test(t, func(t *testing.T) {
		p, stop := s.pusher(true)
		defer stop()
		down := true
		tries := 0
		s.hook = func(op, object string) error {
			if op == "put" && down {
				if strings.HasPrefix(object, "wal/") {
					tries++
				}
				return storage.Classify(errors.New("no route"), storage.ErrUnavailable, "")
			}
			return nil
		}
		if _, err := p.Push(t.Context(), s.question(names[0]), none); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("got %v, want %v", err, storage.ErrUnavailable)
		}
		time.Sleep(5 * time.Second)
		if tries > 3 {
			t.Errorf("%d tries within five seconds", tries)
		}
		down = false
		if _, err := p.Push(t.Context(), s.question(names[0]), none); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		for _, name := range names {
			if !s.stored(name) {
				t.Errorf("%s is not stored after the trouble", name)
			}
		}
	})
}

func TestDeclines(t *testing.T) {
	s, other := newServer(t, small), newServer(t, small)
	p, stop := s.pusher(false)
	defer stop()
	socket := serve(t, queue.Offer{Handlers: map[string]queue.Handler{queue.OpPush: queue.Handle(p.Push)}})
	c := queue.Client{Socket: socket}
	name := other.ready(1)[0]
	if _, err := c.Push(t.Context(), other.question(name)); !errors.Is(err, queue.ErrNoAnswer) {
		t.Errorf("another data directory: got %v, want %v", err, queue.ErrNoAnswer)
	}
	relative := s.question(s.ready(1)[0])
	relative.File.Path = "pg_wal/" + name
	if _, err := c.Push(t.Context(), relative); !errors.Is(err, queue.ErrNoAnswer) {
		t.Errorf("a relative path: got %v, want %v", err, queue.ErrNoAnswer)
	}
}

// Through the socket comes what a push without an agent says.
func TestPushOverSocket(t *testing.T) {
	s := newServer(t, small)
	p, stop := s.pusher(false)
	defer stop()
	socket := serve(t, queue.Offer{Handlers: map[string]queue.Handler{queue.OpPush: queue.Handle(p.Push)}})
	c := queue.Client{Socket: socket}
	name := s.ready(1)[0]
	a, err := c.Push(t.Context(), s.question(name))
	if err != nil {
		t.Fatal(err)
	}
	if a.Pushed.Plain != small.SegmentSize || a.Pushed.Already || a.Pushed.Proof != archive.ProofFull || !strings.HasSuffix(a.Pushed.Object, name) {
		t.Errorf("got %+v", a.Pushed)
	}
	s.write("pg_wal/000000010000000000000099", []byte("short"))
	_, err = c.Push(t.Context(), s.question("000000010000000000000099"))
	if !errors.Is(err, archive.ErrInvalid) || errors.Is(err, queue.ErrNoAnswer) {
		t.Errorf("got %v, want %v", err, archive.ErrInvalid)
	}
}

// The caller that gives up does not end the push: PostgreSQL asks again, and
// finds it done.
func TestCallerGivesUp(t *testing.T) {
	s := newServer(t, small)
	name := s.ready(1)[0]
	synctest.Test(t, func(t *testing.T) {
		p, stop := s.pusher(false)
		defer stop()
		s.hook = func(op, object string) error {
			if op == "put" {
				time.Sleep(10 * time.Second)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		q := s.question(name)
		if _, err := p.Push(ctx, q, none); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of its time", err)
		}
		time.Sleep(time.Minute)
		if a, err := p.Push(t.Context(), q, none); err != nil || !a.Ahead {
			t.Errorf("got %+v, %v, want it done", a, err)
		}
	})
	if n := s.puts(name); n != 1 {
		t.Errorf("%d puts", n)
	}
}
