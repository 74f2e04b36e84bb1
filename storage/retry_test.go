package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// ops calls each method on a bucket that holds the object "one" and not "new".
var ops = map[string]func(ctx context.Context, b storage.Bucket) error{
	"put": func(ctx context.Context, b storage.Bucket) error {
		return b.Put(ctx, "new", strings.NewReader("new"))
	},
	"get": func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.ReadAll(ctx, b, "one", 1<<20)
		return err
	},
	"stat": func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Stat(ctx, "one")
		return err
	},
	"list": func(ctx context.Context, b storage.Bucket) error {
		_, err := names(ctx, b)
		return err
	},
	"delete": func(ctx context.Context, b storage.Bucket) error { return b.Delete(ctx, "one") },
}

func names(ctx context.Context, b storage.Bucket) (string, error) {
	var all []string
	for info, err := range b.List(ctx, "", "") {
		if err != nil {
			return strings.Join(all, " "), err
		}
		all = append(all, info.Name)
	}
	return strings.Join(all, " "), nil
}

// failing is a bucket with the object one, whose call n of op fails with
// fail(n), and the calls that it got.
func failing(t *testing.T, op string, fail func(n int) error) (storage.Bucket, *storagetest.Recorder) {
	t.Helper()
	m := storagetest.NewMemory()
	if err := m.Put(t.Context(), "one", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	flaky := &storagetest.Flaky{Bucket: m, Fail: func(o, _ string, n int) error {
		if o == op {
			return fail(n)
		}
		return nil
	}}
	r := &storagetest.Recorder{Bucket: flaky}
	return r, r
}

func first(n int, err error) func(int) error {
	return func(i int) error {
		if i <= n {
			return err
		}
		return nil
	}
}

func TestRetryRepeatsTransientErrors(t *testing.T) {
	for op, call := range ops {
		for name, fault := range map[string]error{
			"unavailable": storage.ErrUnavailable, "unknown": io.ErrNoProgress, "deadline": context.DeadlineExceeded,
		} {
			t.Run(op+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, calls := failing(t, op, first(3, fault))
					if err := call(t.Context(), storage.WithRetry(b, storage.Policy{Tries: 4}, nil)); err != nil {
						t.Error(err)
					}
					if n := calls.Count(op); n != 4 {
						t.Errorf("got %d calls, want 4", n)
					}
				})
			})
		}
	}
}

func TestRetryLeavesPermanentErrors(t *testing.T) {
	for op, call := range ops {
		for _, fault := range []error{
			storage.ErrNotExist, storage.ErrExist, storage.ErrPermission, storage.ErrInvalid, storage.ErrFull,
			errors.ErrUnsupported, context.Canceled,
		} {
			t.Run(fmt.Sprintf("%s/%v", op, fault), func(t *testing.T) {
				b, calls := failing(t, op, first(1, fault))
				if err := call(t.Context(), storage.WithRetry(b, storage.Policy{}, nil)); !errors.Is(err, fault) {
					t.Errorf("got %v, want %v", err, fault)
				}
				if n := calls.Count(op); n != 1 {
					t.Errorf("got %d calls, want 1", n)
				}
			})
		}
	}
}

func TestRetryEnds(t *testing.T) {
	never := first(1<<30, storage.ErrUnavailable)
	for _, c := range []struct {
		name     string
		policy   storage.Policy
		deadline time.Duration
		tries    [2]int // least and most
		took     time.Duration
	}{
		{"after the tries", storage.Policy{Tries: 3, Base: time.Second, Max: time.Second}, 0, [2]int{3, 3}, 2 * time.Second},
		{"with a single try", storage.Policy{Tries: 1}, 0, [2]int{1, 1}, 0},
		{"within the budget", storage.Policy{Base: time.Second, Max: time.Second, Budget: 30 * time.Second}, 0, [2]int{30, 61}, 30 * time.Second},
		{"within the default budget", storage.Policy{}, 0, [2]int{9, 25}, time.Minute},
		{"before the deadline", storage.Policy{Base: 10 * time.Second}, 8 * time.Second, [2]int{1, 3}, 8 * time.Second},
	} {
		for op, call := range ops {
			t.Run(c.name+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx := t.Context()
					if c.deadline > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, c.deadline)
						defer cancel()
					}
					b, calls := failing(t, op, never)
					start := time.Now()
					err := call(ctx, storage.WithRetry(b, c.policy, nil))
					if !errors.Is(err, storage.ErrUnavailable) || ctx.Err() != nil {
						t.Errorf("got %v, want the last call's error, before any deadline", err)
					}
					if n := calls.Count(op); n < c.tries[0] || n > c.tries[1] {
						t.Errorf("got %d tries, want %d to %d", n, c.tries[0], c.tries[1])
					}
					if took := time.Since(start); took > c.took {
						t.Errorf("took %v, want at most %v", took, c.took)
					}
				})
			})
		}
	}
}

func TestRetryStopsWaitingWhenCancelled(t *testing.T) {
	for op, call := range ops {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				b, calls := failing(t, op, first(9, storage.ErrUnavailable))
				start := time.Now()
				err := call(ctx, storage.WithRetry(b, storage.Policy{Base: 40 * time.Second, Max: time.Minute}, nil))
				if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), storage.ErrUnavailable.Error()) {
					t.Errorf("got %v, want it cancelled, and why it waited", err)
				}
				if took := time.Since(start); took != time.Second || calls.Count(op) != 1 {
					t.Errorf("took %v and %d calls, want 1s and one", took, calls.Count(op))
				}
			})
		})
	}
}

func TestRetryOfStoredPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := failing(t, "put", first(1, storagetest.Lost()))
		err := storage.WithRetry(b, storage.Policy{}, nil).Put(t.Context(), "new", strings.NewReader("new"))
		if !errors.Is(err, storage.ErrExist) {
			t.Errorf("got %v, want %v", err, storage.ErrExist)
		}
	})
}

func TestRetryRewindsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := failing(t, "put", first(3, storagetest.Cut(4)))
		r := storage.WithRetry(b, storage.Policy{}, nil)
		if err := r.Put(t.Context(), "new", strings.NewReader("whole body")); err != nil {
			t.Fatal(err)
		}
		if got, err := storage.ReadAll(t.Context(), b, "new", 100); string(got) != "whole body" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

type brokenBody struct{ *strings.Reader }

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

func TestRetryLeavesBrokenBody(t *testing.T) {
	b, calls := failing(t, "", nil)
	err := storage.WithRetry(b, storage.Policy{}, nil).Put(t.Context(), "new", brokenBody{strings.NewReader("x")})
	if !errors.Is(err, io.ErrNoProgress) || calls.Count("put") != 1 {
		t.Errorf("got %v after %d calls, want the body's error after one", err, calls.Count("put"))
	}
}

func TestRetryResumesBody(t *testing.T) {
	for _, c := range []struct {
		name   string
		off, n int64
		cut    int64
		tries  int
		want   string
		calls  int
	}{
		{"whole", 0, -1, 4, 2, "0123456789", 3},
		{"a byte at a time", 0, -1, 1, 2, "0123456789", 10},
		{"range", 2, 7, 3, 2, "2345678", 3},
		{"range to the end", 5, 50, 3, 2, "56789", 2},
		{"nothing at all", 0, -1, 0, 4, "", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, calls := failing(t, "get", first(1<<30, storagetest.Cut(c.cut)))
				r, err := storage.WithRetry(b, storage.Policy{Tries: c.tries}, nil).Get(t.Context(), "one", c.off, c.n)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if string(got) != c.want || (err == nil) != (c.cut > 0) {
					t.Errorf("got %q, %v; want %q", got, err, c.want)
				}
				if n := calls.Count("get"); n != c.calls {
					t.Errorf("got %d calls, want %d", n, c.calls)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestRetryOfBodyDeletedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := failing(t, "get", first(1, storagetest.Cut(4)))
		r, err := storage.WithRetry(b, storage.Policy{}, nil).Get(t.Context(), "one", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = io.ReadAll(r)
			if err == nil || errors.Is(err, storage.ErrNotExist) {
				t.Errorf("got %v, want an error other than %v", err, storage.ErrNotExist)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRetryResumesList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, calls := failing(t, "list", first(1<<30, storagetest.Cut(2)))
		for _, name := range []string{"a", "b/c", "b.d", "two", "x"} {
			if err := b.Put(t.Context(), name, strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
		}
		got, err := names(t.Context(), storage.WithRetry(b, storage.Policy{Tries: 2}, nil))
		if want := "a b.d b/c one two x"; got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if n := calls.Count("list"); n != 3 {
			t.Errorf("got %d calls, want 3", n)
		}
	})
}

func TestRetryLogsOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b, _ := failing(t, "stat", first(1<<30, storage.ErrUnavailable))
		policy := storage.Policy{Base: time.Second, Max: time.Second, Budget: 5*time.Minute + 30*time.Second}
		_, err := storage.WithRetry(b, policy, slog.New(slog.NewTextHandler(&out, nil))).Stat(t.Context(), "one")
		if err == nil {
			t.Fatal("no error")
		}
		if lines := strings.Count(out.String(), "\n"); lines != 6 {
			t.Errorf("got %d lines in 5.5 minutes, want 6:\n%s", lines, &out)
		}
		if !strings.Contains(out.String(), "op=stat name=one") {
			t.Errorf("the log does not name the call:\n%s", &out)
		}
	})
}
