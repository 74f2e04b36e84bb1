package storagetest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

func TestConformance(t *testing.T) {
	for name, open := range map[string]func() storage.Bucket{
		"memory":   func() storage.Bucket { return storagetest.NewMemory() },
		"recorder": func() storage.Bucket { return &storagetest.Recorder{Bucket: storagetest.NewMemory()} },
		"flaky":    func() storage.Bucket { return &storagetest.Flaky{Bucket: storagetest.NewMemory()} },
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.TestBucket(t, func(*testing.T) storage.Bucket { return open() })
		})
	}
}

// flaky is a bucket with objects one, two and three, whose first calls of op fail.
func flaky(t *testing.T, op string, err error) (*storagetest.Flaky, *storagetest.Memory) {
	m := storagetest.NewMemory()
	for _, name := range []string{"one", "two", "three"} {
		if err := m.Put(t.Context(), name, strings.NewReader("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	return &storagetest.Flaky{Bucket: m, Fail: func(o, _ string, n int) error {
		if o == op && n == 1 {
			return err
		}
		return nil
	}}, m
}

func TestFlakyReturnsErrors(t *testing.T) {
	want := errors.New("no such luck")
	for _, op := range []string{"put", "get", "stat", "list", "delete"} {
		b, m := flaky(t, op, want)
		if err := call(t.Context(), b, op); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", op, err, want)
		}
		if err := call(t.Context(), b, op); err != nil {
			t.Errorf("second %s: %v", op, err)
		}
		if _, err := m.Stat(t.Context(), "new"); (err == nil) != (op == "put") {
			t.Errorf("%s: object new: %v", op, err)
		}
	}
}

func TestFlakyLosesAnswers(t *testing.T) {
	for _, op := range []string{"put", "get", "stat", "list", "delete"} {
		b, m := flaky(t, op, storagetest.Lost())
		if err := call(t.Context(), b, op); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", op, err, storage.ErrUnavailable)
		}
		if _, err := m.Stat(t.Context(), "new"); (err == nil) != (op == "put") {
			t.Errorf("%s: object new: %v, want it stored by put alone", op, err)
		}
		if _, err := m.Stat(t.Context(), "one"); (err == nil) != (op != "delete") {
			t.Errorf("%s: object one: %v, want it deleted by delete alone", op, err)
		}
	}
}

func TestFlakyCutsStreams(t *testing.T) {
	for _, c := range []struct {
		name, op string
		fault    error
		got      string
		err      error
	}{
		{"get broken", "get", storagetest.Cut(4), "0123", storage.ErrUnavailable},
		{"get broken at once", "get", storagetest.Cut(0), "", storage.ErrUnavailable},
		{"get cut at its end", "get", storagetest.Cut(10), "0123456789", nil},
		{"get short", "get", storagetest.Short(4), "0123", nil},
		{"list broken", "list", storagetest.Cut(2), "one three ", storage.ErrUnavailable},
		{"list cut at its end", "list", storagetest.Cut(3), "one three two ", nil},
		{"list short", "list", storagetest.Short(2), "one three ", nil},
		{"put broken", "put", storagetest.Cut(2), "", storage.ErrUnavailable},
		{"put cut at its end", "put", storagetest.Cut(3), "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, m := flaky(t, c.op, c.fault)
			got, err := stream(t.Context(), b, c.op)
			if got != c.got || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, c.got, c.err)
			}
			if _, err := m.Stat(t.Context(), "new"); (err == nil) != (c.op == "put" && c.err == nil) {
				t.Errorf("object new: %v", err)
			}
		})
	}
}

func TestFlakyHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := flaky(t, "get", storagetest.Delay(time.Minute))
		wantAfter(t, time.Minute, nil, func() error { return call(t.Context(), b, "get") })

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b, _ = flaky(t, "get", storagetest.Block())
		wantAfter(t, time.Second, context.DeadlineExceeded, func() error { return call(ctx, b, "get") })

		until := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(until) })
		b, _ = flaky(t, "stat", storagetest.Hang(until))
		wantAfter(t, time.Hour, context.DeadlineExceeded, func() error { return call(ctx, b, "stat") })
	})
}

func wantAfter(t *testing.T, want time.Duration, kind error, f func() error) {
	t.Helper()
	start := time.Now()
	if err := f(); !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	if took := time.Since(start); took != want {
		t.Errorf("took %v, want %v", took, want)
	}
}

func TestRecorder(t *testing.T) {
	r := &storagetest.Recorder{Bucket: storagetest.NewMemory()}
	for _, op := range []string{"put", "get", "stat", "list", "delete", "list"} {
		_ = call(t.Context(), r, op)
	}
	want := []storagetest.Call{{"put", "new"}, {"get", "one"}, {"stat", "one"}, {"list", ""}, {"delete", "one"}, {"list", ""}}
	if got := r.Calls(); !slices.Equal(got, want) {
		t.Errorf("got calls %v, want %v", got, want)
	}
	if got := r.Count("list"); got != 2 {
		t.Errorf("got %d lists, want 2", got)
	}
	if r.Reset(); len(r.Calls()) != 0 {
		t.Errorf("after reset there are calls %v", r.Calls())
	}
}

func call(ctx context.Context, b storage.Bucket, op string) error {
	_, err := stream(ctx, b, op)
	return err
}

// stream makes a call and returns what it streams.
func stream(ctx context.Context, b storage.Bucket, op string) (string, error) {
	switch op {
	case "put":
		return "", b.Put(ctx, "new", strings.NewReader("new"))
	case "get":
		r, err := b.Get(ctx, "one", 0, -1)
		if err != nil {
			return "", err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		return string(data), err
	case "stat":
		_, err := b.Stat(ctx, "one")
		return "", err
	case "delete":
		return "", b.Delete(ctx, "one")
	}
	var names string
	for info, err := range b.List(ctx, "", "") {
		if err != nil {
			return names, err
		}
		names += info.Name + " "
	}
	return names, nil
}
