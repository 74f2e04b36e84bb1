package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

var limits = storage.Limits{Answer: 5 * time.Second, Progress: 20 * time.Second}

// limitOf is the limit that ends a call of op without any answer.
func limitOf(op string) time.Duration {
	if op == "put" {
		return limits.Progress
	}
	return limits.Answer
}

const second = time.Second // within which all calls end after their context

func TestTimeoutEndsMuteCalls(t *testing.T) {
	for op, call := range ops {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := failing(t, op, first(1, storagetest.Block()))
				b = storage.WithTimeout(b, limits)
				start := time.Now()
				wantUnavailable(t, call(t.Context(), b))
				if took := time.Since(start); took != limitOf(op) {
					t.Errorf("took %v, want %v", took, limitOf(op))
				}
				if err := call(t.Context(), b); err != nil {
					t.Errorf("the next call: %v", err)
				}
			})
		})
	}
}

func TestTimeoutLeavesHungCalls(t *testing.T) {
	for op, call := range ops {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				b, _ := failing(t, op, first(1, storagetest.Hang(until)))
				b = storage.WithTimeout(b, limits)
				start := time.Now()
				wantUnavailable(t, call(t.Context(), b))
				if took := time.Since(start); took > limitOf(op)+second {
					t.Errorf("took %v, want about %v", took, limitOf(op))
				}
				if err := call(t.Context(), b); err != nil {
					t.Errorf("the next call: %v", err)
				}
				close(until)
			})
		})
	}
}

func TestTimeoutEndsHungCallsWithTheirContext(t *testing.T) {
	for op, call := range ops {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				b, _ := failing(t, op, first(1, storagetest.Hang(until)))
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(2*time.Second, cancel)
				start := time.Now()
				err := call(ctx, storage.WithTimeout(b, storage.Limits{}))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want %v", err, context.Canceled)
				}
				if took := time.Since(start); took > 2*time.Second+second {
					t.Errorf("took %v, want about 2s", took)
				}
				close(until)
			})
		})
	}
}

func TestTimeoutPassesAnswers(t *testing.T) {
	for op, call := range ops {
		for _, want := range []error{nil, storage.ErrNotExist, storage.ErrPermission, io.ErrNoProgress} {
			b, _ := failing(t, op, first(1, want))
			if err := call(t.Context(), storage.WithTimeout(b, limits)); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", op, err, want)
			}
		}
	}
}

// slowBody waits before each Read, for at most a few bytes.
type slowBody struct {
	*strings.Reader
	wait time.Duration
}

func (b slowBody) Read(p []byte) (int, error) {
	time.Sleep(b.wait)
	return b.Reader.Read(p[:min(len(p), 4)])
}

func (slowBody) Close() error { return nil }

func TestTimeoutLetsSlowPutGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := storage.WithTimeout(storagetest.NewMemory(), limits)
		body := slowBody{strings.NewReader("a body of many small pieces"), 19 * time.Second}
		if err := b.Put(t.Context(), "new", body); err != nil {
			t.Error(err)
		}
	})
}

// getter is a bucket whose Get answers as told.
type getter struct {
	storage.Bucket
	get func(ctx context.Context) (io.ReadCloser, error)
}

func (g getter) Get(ctx context.Context, _ string, _, _ int64) (io.ReadCloser, error) {
	return g.get(ctx)
}

func TestTimeoutOfBody(t *testing.T) {
	for _, c := range []struct {
		name   string
		pause  time.Duration // of the store before each piece
		think  time.Duration // of the caller before each piece
		limits storage.Limits
		want   error
	}{
		{"slow and steady", 19 * time.Second, 0, limits, nil},
		{"stalled", 21 * time.Second, 0, limits, storage.ErrUnavailable},
		{"slow caller", 19 * time.Second, time.Hour, limits, nil},
		{"too long in all", 19 * time.Second, 0, storage.Limits{Total: time.Minute}, storage.ErrUnavailable},
		{"long", 19 * time.Second, 0, storage.Limits{Total: time.Hour}, nil},
		{"without limits", 24 * time.Hour, 0, storage.Limits{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const content = "content in six pieces."
				b := storage.WithTimeout(getter{get: func(context.Context) (io.ReadCloser, error) {
					return slowBody{strings.NewReader(content), c.pause}, nil
				}}, c.limits)
				r, err := b.Get(t.Context(), "x", 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				got, err := readSlowly(r, c.think)
				if c.want == nil && (got != content || err != nil) {
					t.Errorf("got %q, %v; want %q", got, err, content)
				}
				if c.want != nil {
					wantUnavailable(t, err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				time.Sleep(c.pause) // a read that was left behind returns
			})
		})
	}
}

func readSlowly(r io.Reader, think time.Duration) (string, error) {
	var all []byte
	for {
		time.Sleep(think)
		p := make([]byte, 3)
		n, err := r.Read(p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			return string(all), nil
		}
		if err != nil {
			return string(all), err
		}
	}
}

// hungBody hangs in Read until it is told to go on.
type hungBody struct {
	until  chan struct{}
	closed atomic.Int32
}

func (b *hungBody) Read(p []byte) (int, error) {
	<-b.until
	for i := range p {
		p[i] = 0xff // too late: nobody may see it
	}
	return len(p), nil
}

func (b *hungBody) Close() error { b.closed.Add(1); return nil }

func TestTimeoutOfHungBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &hungBody{until: make(chan struct{})}
		b := storage.WithTimeout(getter{get: func(context.Context) (io.ReadCloser, error) { return body, nil }}, limits)
		r, err := b.Get(t.Context(), "x", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 8)
		for range 2 {
			n, err := r.Read(p)
			if n != 0 {
				t.Errorf("got %d bytes", n)
			}
			wantUnavailable(t, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if body.closed.Load() != 0 {
			t.Error("the body was closed while it was read")
		}
		close(body.until)
		synctest.Wait()
		if body.closed.Load() != 1 || !bytes.Equal(p, make([]byte, 8)) {
			t.Errorf("the hung read wrote %x and its body was closed %d times, want no bytes and once", p, body.closed.Load())
		}
	})
}

func TestTimeoutClosesBodyOfLateGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &hungBody{until: make(chan struct{})}
		b := storage.WithTimeout(getter{get: func(context.Context) (io.ReadCloser, error) {
			<-body.until
			return body, nil
		}}, limits)
		_, err := b.Get(t.Context(), "x", 0, -1)
		wantUnavailable(t, err)
		close(body.until)
		synctest.Wait()
		if n := body.closed.Load(); n != 1 {
			t.Errorf("the late body was closed %d times, want once", n)
		}
	})
}

// putter is a bucket whose Put does as told.
type putter struct {
	storage.Bucket
	put func(ctx context.Context, body io.ReadSeeker) error
}

func (p putter) Put(ctx context.Context, _ string, body io.ReadSeeker) error { return p.put(ctx, body) }

func TestTimeoutTakesBodyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		var late sync.WaitGroup
		late.Add(1)
		b := storage.WithTimeout(putter{put: func(_ context.Context, body io.ReadSeeker) error {
			defer late.Done()
			<-until
			if size := storage.BodySize(body); size != 4 {
				t.Errorf("got size %d, want 4", size)
			}
			if _, err := body.Seek(0, io.SeekStart); err == nil {
				t.Error("a put that was left behind can seek")
			}
			data, err := io.ReadAll(body)
			if err == nil {
				t.Errorf("a put that was left behind read %q", data)
			}
			return err
		}}, limits)
		wantUnavailable(t, b.Put(t.Context(), "x", strings.NewReader("body")))
		close(until)
		late.Wait()
	})
}

func TestTimeoutOfStalledList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		b := storage.WithTimeout(lister{until: until}, limits)
		start := time.Now()
		got, err := names(t.Context(), b)
		wantUnavailable(t, err)
		if took := time.Since(start); got != "0 1 2" || took > 3*4*time.Second+limits.Progress+second {
			t.Errorf("got %q after %v", got, took)
		}
		close(until)
	})
}

// lister is a bucket with a slow listing that hangs after three objects.
type lister struct {
	storage.Bucket
	until chan struct{}
}

func (l lister) List(context.Context, string, string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for i := range 3 {
			time.Sleep(4 * time.Second)
			if !yield(storage.Info{Name: fmt.Sprint(i)}, nil) {
				return
			}
		}
		<-l.until
	}
}

func TestTimeoutBoundsHungCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		var inside, most atomic.Int64
		b := storage.WithTimeout(putter{put: func(context.Context, io.ReadSeeker) error {
			most.Store(max(most.Load(), inside.Add(1)))
			defer inside.Add(-1)
			<-until
			return nil
		}}, limits)
		for range 3 {
			var group sync.WaitGroup
			for range 100 {
				group.Go(func() { wantUnavailable(t, b.Put(t.Context(), "x", strings.NewReader("x"))) })
			}
			group.Wait()
		}
		if n := inside.Load(); n != 128 {
			t.Errorf("%d calls were left behind, want 128 of 300", n)
		}
		close(until)
		synctest.Wait()
		if err := b.Put(t.Context(), "x", strings.NewReader("x")); err != nil {
			t.Errorf("after the store came back: %v", err)
		}
	})
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	var hint interface{ Hint() string }
	switch {
	case !errors.Is(err, storage.ErrUnavailable):
		t.Errorf("got error %v, want %v", err, storage.ErrUnavailable)
	case storage.Permanent(err):
		t.Errorf("%v: is permanent", err)
	case !errors.As(err, &hint) || hint.Hint() == "":
		t.Errorf("%v: has no hint", err)
	}
}
