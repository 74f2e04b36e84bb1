//go:build integration

package servers

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"walarchive/storage"
)

// faults are ways in which a network fails.
var faults = []struct {
	name  string
	toxic Toxic
}{
	{"refused", Refused},
	{"reset", Reset},
	{"mute", Mute},
	{"deaf", Deaf},
	{"closed in the answer's middle", CutAnswers(300)},
	{"closed in the request's middle", CutRequests(200)},
	{"a trickle down", Slow(1)},
}

// TestFaults holds a backend, in the decorators that give it time limits and
// another try, to what must be true of it in a broken network: each call ends
// in time, no failure is taken for a missing object, nothing is stored by
// halves, and all is well when the network is. addr is the server's address;
// open gives the same new bucket on each call, through a proxy's address.
func TestFaults(t *testing.T, addr string, open func(t *testing.T, addr string) storage.Bucket) {
	p := StartProxy(t, addr)
	b := guarded(open(t, p.Listen))
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := b.Put(t.Context(), "there", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			name := "new-" + string(rune('a'+i))
			heal := p.Hurt(t, f.toxic)
			// What hinders only answers may let a Put succeed, or end in ErrExist
			// when the first answer was lost.
			err := within(t, "put", func(ctx context.Context) error { return b.Put(ctx, name, bytes.NewReader(content)) })
			if err != nil && storage.Permanent(err) && !errors.Is(err, storage.ErrExist) {
				t.Errorf("put: got %v, want an error that is not permanent", err)
			}
			err = within(t, "get", func(ctx context.Context) error { return wantContent(ctx, t, b, "there", content) })
			if err == nil || storage.Permanent(err) {
				t.Errorf("get: got %v, want an error that is not permanent", err)
			}
			heal()
			if err := b.Put(t.Context(), name, bytes.NewReader(content)); err != nil && !errors.Is(err, storage.ErrExist) {
				t.Errorf("put in a network that is well again: %v", err)
			}
			if err := wantContent(t.Context(), t, b, name, content); err != nil {
				t.Errorf("get in a network that is well again: %v", err)
			}
		})
	}
	t.Run("well again before the last try", func(t *testing.T) {
		heal := p.Hurt(t, Refused)
		time.AfterFunc(300*time.Millisecond, heal)
		if err := wantContent(t.Context(), t, b, "there", content); err != nil {
			t.Error(err)
		}
	})
}

// guarded gives b about four seconds for a call.
func guarded(b storage.Bucket) storage.Bucket {
	return repeated(b, storage.Limits{Answer: time.Second, Progress: time.Second, Total: 2 * time.Second}, 4*time.Second)
}

// repeated bounds the calls of b, and makes each up to three times.
func repeated(b storage.Bucket, limits storage.Limits, budget time.Duration) storage.Bucket {
	policy := storage.Policy{Tries: 3, Base: 200 * time.Millisecond, Max: 400 * time.Millisecond, Budget: budget}
	return storage.WithRetry(storage.WithTimeout(b, limits), policy, slog.New(slog.DiscardHandler))
}

// within gives a call the whole time that a command would: a Get that makes
// progress is repeated from where it broke for as long as its context lasts.
func within(t *testing.T, op string, call func(ctx context.Context) error) error {
	t.Helper()
	const whole = 3 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), whole)
	defer cancel()
	start := time.Now()
	err := call(ctx)
	if took := time.Since(start); took > whole+2*time.Second {
		t.Errorf("%s took %v", op, took)
	}
	return err
}

// wantContent reads an object; what is read without an error must be right.
func wantContent(ctx context.Context, t *testing.T, b storage.Bucket, name string, want []byte) error {
	t.Helper()
	got, err := storage.ReadAll(ctx, b, name, int64(len(want)))
	if err == nil && !bytes.Equal(got, want) {
		t.Errorf("get %s: %d bytes that are not those stored", name, len(got))
	}
	return err
}
