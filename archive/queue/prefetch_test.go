package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// ahead is a Prefetch over a bucket in memory.
type ahead struct {
	*Prefetch
	t      *testing.T
	stored *storagetest.Memory
	faults *storagetest.Flaky
	calls  *storagetest.Recorder
}

func newAhead(t *testing.T, o PrefetchOptions) *ahead {
	t.Helper()
	a := &ahead{t: t, stored: storagetest.NewMemory()}
	a.faults = &storagetest.Flaky{Bucket: a.stored}
	a.calls = &storagetest.Recorder{Bucket: a.faults}
	o.Log = slog.New(slog.DiscardHandler)
	if o.Depth == 0 {
		o.Depth = 8
	}
	if o.Room.Memory == 0 {
		o.Room.Memory = 64 << 20
	}
	a.Prefetch = NewPrefetch(o)
	a.Over(a.calls)
	t.Cleanup(a.close)
	return a
}

// close ends it and sees that it gave back all it took.
func (a *ahead) close() {
	a.Prefetch.Close()
	if a.room.memory != 0 || a.room.spool != 0 {
		a.t.Errorf("%d bytes of memory and %d of the spool are still taken", a.room.memory, a.room.spool)
	}
}

// put stores n objects, o0 and so on, of size bytes each.
func (a *ahead) put(n, size int) (names []string) {
	a.t.Helper()
	for i := range n {
		name := fmt.Sprintf("o%d", i)
		if err := a.stored.Put(a.t.Context(), name, bytes.NewReader(content(i, size))); err != nil {
			a.t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func content(i, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(i)}).Read(b)
	return b
}

// read reads a whole object and compares it with the i-th.
func (a *ahead) read(name string, i, size int) {
	a.t.Helper()
	r, err := a.Get(a.t.Context(), name, 0, -1)
	if err != nil {
		a.t.Error(err)
		return
	}
	got, err := io.ReadAll(r)
	if e := errors.Join(err, r.Close()); e != nil {
		a.t.Errorf("%s: %v", name, e)
	}
	if !bytes.Equal(got, content(i, size)) {
		a.t.Errorf("%s: %d bytes that are not those stored", name, len(got))
	}
}

func (a *ahead) wantGets(want int) {
	a.t.Helper()
	if got := a.calls.Count("get"); got != want {
		a.t.Errorf("%d objects were asked of the store, want %d", got, want)
	}
}

const size = 3*chunkSize + 12345

func TestPrefetchIsABucket(t *testing.T) {
	storagetest.TestBucket(t, func(t *testing.T) storage.Bucket { return newAhead(t, PrefetchOptions{}) })
}

func TestPrefetchedIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead(t, PrefetchOptions{})
		names := a.put(4, size)
		a.Want(names)
		synctest.Wait()
		a.wantGets(firstDepth)
		a.calls.Reset()
		a.read(names[0], 0, size)
		a.read(names[1], 1, size)
		synctest.Wait()
		a.wantGets(2) // the next two
	})
}

func TestGetJoinsWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []PrefetchEvent
		a := newAhead(t, PrefetchOptions{Count: func(e PrefetchEvent) { events = append(events, e) }})
		names := a.put(1, size)
		a.faults.Fail = func(string, string, int) error { return storagetest.Delay(time.Second) }
		a.Want(names)
		a.read(names[0], 0, size)
		a.wantGets(1)
		if len(events) != 1 || events[0] != PrefetchJoined {
			t.Errorf("events %v, want one that joined", events)
		}
	})
}

func TestMissIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead(t, PrefetchOptions{})
		a.Want([]string{"o0", "o1"})
		synctest.Wait()
		a.put(2, size)
		a.read("o0", 0, size)
		a.read("o1", 1, size)
	})
}

// What is missing says so at once, as a bucket does.
func TestMissingJoinedIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead(t, PrefetchOptions{})
		a.faults.Fail = func(string, string, int) error { return storagetest.Delay(time.Second) }
		a.Want([]string{"o0"})
		if _, err := a.Get(t.Context(), "o0", 0, -1); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("got %v, want %v", err, storage.ErrNotExist)
		}
	})
}

// A fetch that fails is no failure of the Get that joined it.
func TestFetchThatFails(t *testing.T) {
	for name, fault := range map[string]error{
		"refused": storage.ErrUnavailable, "cut short": storagetest.Cut(2*chunkSize + 100),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAhead(t, PrefetchOptions{})
				names := a.put(2, size)
				a.faults.Fail = func(_, _ string, n int) error {
					if n == 1 {
						return fault
					}
					return nil
				}
				a.Want(names)
				a.read(names[0], 0, size)
				a.read(names[1], 1, size)
			})
		})
	}
}

// After a failure nothing more is tried until somebody wants something again.
func TestFailureHaltsFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead(t, PrefetchOptions{})
		a.Prefetch.depth = 8
		var names []string
		for i := range 8 {
			names = append(names, fmt.Sprint("missing", i))
		}
		a.Want(names)
		synctest.Wait()
		a.wantGets(parallelFetches)
	})
}

func TestWhatIsNotWantedIsDropped(t *testing.T) {
	drops := map[string]func(a *ahead){
		"another order":  func(a *ahead) { a.Want([]string{"elsewhere"}) },
		"another bucket": func(a *ahead) { a.Over(a.calls) },
		"nobody asks":    func(*ahead) { time.Sleep(prefetchIdle + time.Second) },
	}
	for name, drop := range drops {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAhead(t, PrefetchOptions{})
				names := a.put(2, size)
				a.Want(names)
				synctest.Wait()
				drop(a)
				synctest.Wait()
				if a.room.memory != 0 {
					t.Errorf("%d bytes are still taken", a.room.memory)
				}
				a.calls.Reset()
				a.read(names[0], 0, size)
				a.wantGets(1)
			})
		})
	}
}

func TestDepthGrowsWhenGetsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead(t, PrefetchOptions{})
		names := a.put(16, size)
		a.faults.Fail = func(string, string, int) error { return storagetest.Delay(time.Second) }
		for i, name := range names {
			a.read(name, i, size)
			a.Want(names[i+1:])
		}
		if a.Prefetch.depth != a.Depth {
			t.Errorf("depth %d, want %d", a.Prefetch.depth, a.Depth)
		}
	})
}

// What has no room in memory goes to the spool, under no name.
func TestSpool(t *testing.T) {
	tests := []struct {
		name string
		room Room
	}{
		{"memory for a part", Room{Memory: 2 * chunkSize, SpoolBytes: 1 << 30}},
		{"a budget that others use up", Room{Memory: 1 << 30, Take: func(int64) bool { return false }, Return: func(int64) {}, SpoolBytes: 1 << 30}},
		{"spool for a part", Room{Memory: chunkSize, SpoolBytes: chunkSize}},
		{"no spool", Room{Memory: chunkSize}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.room.Spool = filepath.Join(t.TempDir(), "spool")
			a := newAhead(t, PrefetchOptions{Room: tt.room})
			names := a.put(4, size)
			for i, name := range names {
				a.Want(names[i:])
				a.fetches.Wait()
				a.read(name, i, size)
			}
			if left, err := os.ReadDir(tt.room.Spool); len(left) > 0 || err != nil && !os.IsNotExist(err) {
				t.Errorf("in the spool: %v, %v", left, err)
			}
		})
	}
}

func TestSpoolThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAhead(t, PrefetchOptions{Room: Room{Memory: chunkSize, Spool: file, SpoolBytes: 1 << 30}})
	names := a.put(1, size)
	a.Want(names)
	a.read(names[0], 0, size)
}

func TestGetEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAhead(t, PrefetchOptions{})
		names := a.put(1, size)
		a.faults.Fail = func(string, string, int) error { return storagetest.Block() }
		a.Want(names)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Get(ctx, names[0], 0, -1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
	})
}

// Whatever comes in whatever order, what is read is right.
func TestPrefetchUnderLoad(t *testing.T) {
	a := newAhead(t, PrefetchOptions{Room: Room{Memory: 6 * chunkSize, Spool: t.TempDir(), SpoolBytes: 4 * size}})
	names := a.put(12, size)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 60 {
				i := rand.IntN(len(names))
				switch rand.IntN(4) {
				case 0:
					a.Want(names[i:])
				default:
					a.read(names[i], i, size)
				}
			}
		})
	}
	all.Wait()
}
