package queue_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/keys"
)

// shortDir is a directory for a socket, whose path may have 107 bytes.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// serve offers handlers on a socket until the test ends.
func serve(t testing.TB, o queue.Offer) (socket string) {
	t.Helper()
	socket = filepath.Join(shortDir(t), "s")
	l, err := queue.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &queue.Server{Log: slog.New(slog.DiscardHandler)}
	s.Offer(o)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, l.Close()); err != nil {
			t.Error(err)
		}
	})
	return socket
}

type greeting struct{ Text string }

func greet(_ context.Context, q greeting, _ func()) (greeting, error) {
	return greeting{"hello " + q.Text}, nil
}

func TestAsk(t *testing.T) {
	wrong := fmt.Errorf("epoch: %w", &keys.WrongKeyError{Ref: keys.Ref{Provider: "local", Key: "k"}})
	socket := serve(t, queue.Offer{Config: "abc", Handlers: map[string]queue.Handler{
		"greet":   queue.Handle(greet),
		"decline": func(context.Context, *queue.Call) (any, error) { return nil, queue.Declinef("no time") },
		"fail": func(context.Context, *queue.Call) (any, error) {
			return nil, fmt.Errorf("get it: %w", archive.ErrHole)
		},
		"wrong key": func(context.Context, *queue.Call) (any, error) { return nil, wrong },
		"long error": func(context.Context, *queue.Call) (any, error) {
			return nil, errors.New(strings.Repeat("\x01", 1<<20))
		},
		"long answer": func(context.Context, *queue.Call) (any, error) {
			return greeting{strings.Repeat("x", 1<<20)}, nil
		},
	}})
	tests := []struct {
		name, op, config string
		is               error
		says             string
	}{
		{"answer", "greet", "abc", nil, ""},
		{"any configuration", "greet", "", nil, ""},
		{"another configuration", "greet", "abd", queue.ErrNoAnswer, "other settings"},
		{"unknown call", "dance", "abc", queue.ErrNoAnswer, "does not know the call"},
		{"declined", "decline", "abc", queue.ErrNoAnswer, "no time"},
		{"failure", "fail", "abc", archive.ErrHole, "get it: missing in the archive"},
		{"long failure", "long error", "abc", nil, "\x01\x01"},
		{"answer too long", "long answer", "abc", queue.ErrNoAnswer, "an answer of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := queue.Client{Socket: socket, Config: tt.config}
			var got greeting
			err := c.Ask(t.Context(), tt.op, greeting{"world"}, &got)
			if tt.is == nil && tt.says == "" {
				if err != nil || got.Text != "hello world" {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %.200v, want %v with %q", err, tt.is, tt.says)
			}
			if tt.is != queue.ErrNoAnswer && errors.Is(err, queue.ErrNoAnswer) {
				t.Errorf("%v: the agent's own failure counts as no answer", err)
			}
		})
	}
	t.Run("error known by its type", func(t *testing.T) {
		c := queue.Client{Socket: socket}
		err := c.Ask(t.Context(), "wrong key", nil, nil)
		var is *keys.WrongKeyError
		if !errors.As(err, &is) || err.Error() != wrong.Error() {
			t.Errorf("got %v, want %v", err, wrong)
		}
		var h interface{ Hint() string }
		if !errors.As(err, &h) || h.Hint() == "" {
			t.Error("the hint got lost")
		}
	})
}

// A caller waits for work as long as the agent says that it works, and hears of
// progress; it does not wait for an agent that says nothing.
func TestSlowIsNotHung(t *testing.T) {
	release := make(chan struct{})
	socket := serve(t, queue.Offer{Handlers: map[string]queue.Handler{
		"slow": func(_ context.Context, c *queue.Call) (any, error) {
			c.Progress()
			<-release
			return greeting{"done"}, nil
		},
	}})
	arrived := make(chan struct{}, 1)
	c := queue.Client{Socket: socket, Silence: 2 * time.Second, Progress: func() { arrived <- struct{}{} }}
	go func() {
		<-arrived
		time.Sleep(2500 * time.Millisecond) // longer than silence would be borne
		close(release)
	}()
	var got greeting
	if err := c.Ask(t.Context(), "slow", nil, &got); err != nil || got.Text != "done" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// hung accepts and never says a word.
func hung(t *testing.T) string {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return path
}

func TestNoAnswer(t *testing.T) {
	stale := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	open := hung(t)
	if err := os.Chmod(filepath.Dir(open), 0o750); err != nil {
		t.Fatal(err)
	}
	world := filepath.Join(filepath.Dir(hung(t)), "d", "s")
	if err := errors.Join(os.Mkdir(filepath.Dir(world), 0o700), os.WriteFile(world, nil, 0o600), os.Chmod(filepath.Dir(filepath.Dir(world)), 0o777)); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(shortDir(t), "s")
	if err := os.Chmod(filepath.Dir(empty), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, socket string
		is           error
		says         string
	}{
		{"no directory", filepath.Join(shortDir(t), "gone", "s"), queue.ErrNoAgent, "none is running"},
		{"no socket", filepath.Join(shortDir(t), "s"), queue.ErrNoAgent, "none is running"},
		{"stale socket", stale, queue.ErrNoAgent, "none is running"},
		{"hung", hung(t), queue.ErrNoAnswer, "i/o timeout"},
		{"directory open to the group", open, queue.ErrNoAnswer, "has mode 0750"},
		{"below a directory open to all", world, queue.ErrNoAnswer, "everybody can write"},
		{"path too long", "/" + strings.Repeat("x", 107), queue.ErrNoAgent, "none is running"},
		{"no socket in a directory open to others", empty, queue.ErrNoAgent, "none is running"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := queue.Client{Socket: tt.socket, Silence: 100 * time.Millisecond}
			err := c.Ask(t.Context(), "greet", nil, nil)
			if !errors.Is(err, tt.is) || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("got %v, want %v with %q", err, tt.is, tt.says)
			}
			if tt.is != queue.ErrNoAgent && errors.Is(err, queue.ErrNoAgent) {
				t.Errorf("%v: counts as no agent", err)
			}
		})
	}
	t.Run("caller stops waiting", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c := queue.Client{Socket: hung(t)}
		if err := c.Ask(ctx, "greet", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of its time", err)
		}
	})
}

// A handler learns that its caller has gone.
func TestCallerGone(t *testing.T) {
	ended := make(chan struct{})
	socket := serve(t, queue.Offer{Handlers: map[string]queue.Handler{
		"wait": func(ctx context.Context, _ *queue.Call) (any, error) {
			defer close(ended)
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c := queue.Client{Socket: socket}
	if err := c.Ask(ctx, "wait", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of its time", err)
	}
	<-ended
}

func TestOneAgent(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	first, err := queue.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Listen(path); !errors.Is(err, queue.ErrRunning) {
		t.Errorf("a second one: %v, want %v", err, queue.ErrRunning)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := queue.Listen(path)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

func TestListenRefuses(t *testing.T) {
	open := filepath.Join(shortDir(t), "s")
	if err := os.Chmod(filepath.Dir(open), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, says string }{
		"path too long":           {filepath.Join(shortDir(t), strings.Repeat("x", 100)), "more than 107"},
		"directory open to group": {open, "has mode 0750"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := queue.Listen(tt.path); !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// Whatever bytes come in, the server goes on answering others.
func TestNoise(t *testing.T) {
	socket := serve(t, queue.Offer{Handlers: map[string]queue.Handler{"greet": queue.Handle(greet)}})
	huge := binary.BigEndian.AppendUint32(nil, 1<<31)
	for _, noise := range [][]byte{nil, {0}, huge, []byte("\x00\x00\x00\x02{]"), []byte("\x00\x00\x00\x04null"), []byte("\x00\x00\x00\x09{\"op\":{}}")} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(noise)
		_ = conn.Close()
	}
	c := queue.Client{Socket: socket}
	var got greeting
	if err := c.Ask(t.Context(), "greet", greeting{"you"}, &got); err != nil || got.Text != "hello you" {
		t.Errorf("got %+v, %v", got, err)
	}
}
