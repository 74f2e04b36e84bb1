package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/storage"
	"walarchive/storage/mirror"
	"walarchive/storage/storagetest"
)

func TestConformance(t *testing.T) {
	for name, open := range map[string]func() []mirror.Store{
		"two stores":   func() []mirror.Store { return stores(storagetest.NewMemory(), storagetest.NewMemory()) },
		"one store":    func() []mirror.Store { return stores(storagetest.NewMemory()) },
		"three stores": func() []mirror.Store { return stores(newFlaky(), newFlaky(), newFlaky()) },
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.TestBucket(t, func(*testing.T) storage.Bucket { return mirror.New(open(), mirror.Options{}) })
		})
	}
}

func stores(buckets ...storage.Bucket) []mirror.Store {
	var all []mirror.Store
	for i, b := range buckets {
		all = append(all, mirror.Store{Name: fmt.Sprintf("mem://%d", i+1), Bucket: b})
	}
	return all
}

func newFlaky() *storagetest.Flaky { return &storagetest.Flaky{Bucket: storagetest.NewMemory()} }

// fails makes f fail calls of op, or of all for "", with err.
func fails(f *storagetest.Flaky, op string, err error) {
	f.Fail = func(o, _ string, _ int) error {
		if op == "" || o == op {
			return err
		}
		return nil
	}
}

func put(ctx context.Context, b storage.Bucket, name, content string) error {
	return b.Put(ctx, name, strings.NewReader(content))
}

func mustPut(t *testing.T, b storage.Bucket, name, content string) {
	t.Helper()
	if err := put(t.Context(), b, name, content); err != nil {
		t.Fatal(err)
	}
}

// has is the content of an object; "-" if there is none.
func has(t *testing.T, b storage.Bucket, name string) string {
	t.Helper()
	p, err := storage.ReadAll(t.Context(), b, name, 1<<20)
	if errors.Is(err, storage.ErrNotExist) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// What a Put returns and what the stores have then, by what they had before
// and what fails.
func TestPut(t *testing.T) {
	down := storage.ErrUnavailable
	for _, c := range []struct {
		name   string
		quorum int
		had    [3]string // content before; "" for none
		fail   [3]error  // of each put
		want   error
		have   [3]string
	}{
		{"all well", 0, [3]string{}, [3]error{}, nil, [3]string{"new", "new", "new"}},
		{"first down", 0, [3]string{}, [3]error{down, nil, nil}, down, [3]string{"-", "-", "-"}},
		{"first down, quorum of one", 1, [3]string{}, [3]error{down, nil, nil}, down, [3]string{"-", "-", "-"}},
		{"mirror down", 0, [3]string{}, [3]error{nil, down, nil}, mirror.ErrQuorum, [3]string{"new", "-", "new"}},
		{"mirror down, quorum without it", 2, [3]string{}, [3]error{nil, down, nil}, nil, [3]string{"new", "-", "new"}},
		{"mirrors down, quorum of two", 2, [3]string{}, [3]error{nil, down, down}, mirror.ErrQuorum, [3]string{"new", "-", "-"}},
		{"mirrors down, quorum of one", 1, [3]string{}, [3]error{nil, down, down}, nil, [3]string{"new", "-", "-"}},
		{"repeated after a kill", 0, [3]string{"old"}, [3]error{}, storage.ErrExist, [3]string{"old", "old", "old"}},
		{"repeated, one mirror has it", 0, [3]string{"old", "old"}, [3]error{}, storage.ErrExist, [3]string{"old", "old", "old"}},
		{"repeated, mirror down", 0, [3]string{"old", "old"}, [3]error{nil, nil, down}, mirror.ErrQuorum, [3]string{"old", "old", "-"}},
		{"mirror has another", 0, [3]string{"", "other"}, [3]error{}, mirror.ErrQuorum, [3]string{"new", "other", "new"}},
		{"mirror has another of the same size", 2, [3]string{"old", "dlo"}, [3]error{}, storage.ErrExist, [3]string{"old", "dlo", "old"}},
		{"answer of the mirror lost", 0, [3]string{}, [3]error{nil, storagetest.Lost(), nil}, mirror.ErrQuorum, [3]string{"new", "new", "new"}},
		{"answer of the first lost", 0, [3]string{}, [3]error{storagetest.Lost(), nil, nil}, down, [3]string{"new", "-", "-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var buckets []storage.Bucket
			for i := range c.had {
				f := newFlaky()
				if c.had[i] != "" {
					mustPut(t, f, "x", c.had[i])
				}
				if c.fail[i] != nil {
					fails(f, "put", c.fail[i])
				}
				buckets = append(buckets, f)
			}
			err := put(t.Context(), mirror.New(stores(buckets...), mirror.Options{Quorum: c.quorum}), "x", "new")
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if errors.Is(err, mirror.ErrQuorum) && errors.Is(err, storage.ErrExist) {
				t.Errorf("%v: would pass for a taken name", err)
			}
			for i, want := range c.have {
				if got := has(t, buckets[i], "x"); got != want {
					t.Errorf("store %d has %q, want %q", i+1, got, want)
				}
			}
		})
	}
}

// unsized is a body that yields other bytes after each rewind, as one does that
// is sealed while it is read.
type unsized struct {
	rewinds int
	r       *strings.Reader
}

func (u *unsized) Seek(int64, int) (int64, error) {
	u.rewinds++
	u.r = strings.NewReader(fmt.Sprint("sealing ", u.rewinds))
	return 0, nil
}

func (u *unsized) Read(p []byte) (int, error) { return u.r.Read(p) }

func TestMirrorsGetTheBytesOfTheFirst(t *testing.T) {
	first, second := storagetest.NewMemory(), storagetest.NewMemory()
	if err := mirror.New(stores(first, second), mirror.Options{}).Put(t.Context(), "x", &unsized{}); err != nil {
		t.Fatal(err)
	}
	if got, want := has(t, second, "x"), has(t, first, "x"); got != want {
		t.Errorf("the mirror has %q, the first store %q", got, want)
	}
}

// A good Put is one request to each store.
func TestPutCostsOneRequestEach(t *testing.T) {
	first := &storagetest.Recorder{Bucket: storagetest.NewMemory()}
	second := &storagetest.Recorder{Bucket: storagetest.NewMemory()}
	mustPut(t, mirror.New(stores(first, second), mirror.Options{}), "x", "content")
	for i, r := range []*storagetest.Recorder{first, second} {
		if calls := r.Calls(); len(calls) != 1 || calls[0].Op != "put" {
			t.Errorf("store %d was called %v", i+1, calls)
		}
	}
}

// Of many writers one wins, in all stores.
func TestRace(t *testing.T) {
	first, second := storagetest.NewMemory(), storagetest.NewMemory()
	var wins sync.Map
	var group sync.WaitGroup
	for i := range 16 {
		b := mirror.New(stores(first, second), mirror.Options{})
		content := fmt.Sprint("writer ", i)
		group.Go(func() {
			err := put(context.Background(), b, "x", content)
			if err == nil {
				wins.Store(content, true)
			} else if !errors.Is(err, storage.ErrExist) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n := 0
	wins.Range(func(content, _ any) bool {
		n++
		if got := has(t, second, "x"); got != content || has(t, first, "x") != content {
			t.Errorf("%q won, the mirror has %q", content, got)
		}
		return true
	})
	if n != 1 {
		t.Errorf("%d writers won", n)
	}
}

// Mirrors beyond the quorum are not waited for without end; those that it
// needs are.
func TestPutLeavesSlowMirrorsBehind(t *testing.T) {
	for quorum, want := range map[int]time.Duration{1: 2 * time.Second, 2: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			second := newFlaky()
			fails(second, "put", storagetest.Block())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			err := put(ctx, mirror.New(stores(newFlaky(), second), mirror.Options{Quorum: quorum}), "x", "content")
			if took := time.Since(start); took != want {
				t.Errorf("quorum %d: took %v, want %v", quorum, took, want)
			}
			if quorum == 1 && err != nil || quorum == 2 && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("quorum %d: %v", quorum, err)
			}
		})
	}
}

// How Get, Stat and List answer, by what fails at the first store, and what it
// and the mirror have.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		name          string
		fail          error // of every call of the first
		first, second string
		want          error // of get and stat
		got           string
		list          error
		names         string
	}{
		{"all well", nil, "x", "x", nil, "x", nil, "x"},
		{"first down", storage.ErrUnavailable, "x", "x", nil, "x", mirror.ErrIncomplete, "x"},
		{"no right to the first", storage.ErrPermission, "x", "x", nil, "x", mirror.ErrIncomplete, "x"},
		{"first lost it", nil, "", "x", nil, "x", nil, ""},
		{"mirror lacks it", nil, "x", "", nil, "x", nil, "x"},
		{"nobody has it", nil, "", "", storage.ErrNotExist, "", nil, ""},
		{"first down, mirror lacks it", storage.ErrUnavailable, "x", "", storage.ErrUnavailable, "", mirror.ErrIncomplete, ""},
		{"first asked for nonsense", storage.ErrInvalid, "x", "x", storage.ErrInvalid, "", storage.ErrInvalid, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, second := newFlaky(), newFlaky()
			for f, content := range map[*storagetest.Flaky]string{first: c.first, second: c.second} {
				if content != "" {
					mustPut(t, f, "x", content)
				}
			}
			fails(first, "", c.fail)
			b := mirror.New(stores(first, second), mirror.Options{})
			for range 2 { // the second time with what the first call learned
				p, err := storage.ReadAll(t.Context(), b, "x", 100)
				wantKind(t, "get", err, c.want)
				if string(p) != c.got {
					t.Errorf("get: got %q, want %q", p, c.got)
				}
				_, err = b.Stat(t.Context(), "x")
				wantKind(t, "stat", err, c.want)
				names, err := list(t.Context(), b)
				wantKind(t, "list", err, c.list)
				if names != c.names {
					t.Errorf("list: got %q, want %q", names, c.names)
				}
			}
		})
	}
}

// wantKind checks that err is of kind, and no other makes an absence of it.
func wantKind(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) || (err == nil) != (kind == nil) {
		t.Errorf("%s: got %v, want %v", what, err, kind)
	}
	if kind != storage.ErrNotExist && errors.Is(err, storage.ErrNotExist) {
		t.Errorf("%s: %v passes for absence", what, err)
	}
}

func list(ctx context.Context, b storage.Bucket) (string, error) {
	var names []string
	for info, err := range b.List(ctx, "", "") {
		if err != nil {
			return strings.Join(names, " "), err
		}
		names = append(names, info.Name)
	}
	return strings.Join(names, " "), nil
}

func TestReaderTellsItsStore(t *testing.T) {
	first, second := newFlaky(), newFlaky()
	mustPut(t, second, "x", "content")
	b := mirror.New(stores(first, second), mirror.Options{})
	wantStore(t, b, "mem://2", storage.ErrNotExist)
	fails(first, "", storage.ErrUnavailable)
	wantStore(t, b, "mem://2", storage.ErrUnavailable)
	b = mirror.New(stores(second, first), mirror.Options{})
	wantStore(t, b, "mem://1", nil)
}

func wantStore(t *testing.T, b storage.Bucket, store string, cause error) {
	t.Helper()
	body, err := b.Get(t.Context(), "x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	r := body.(*mirror.Reader)
	if r.Store != store || !errors.Is(r.Cause, cause) {
		t.Errorf("got %s for %v, want %s for %v", r.Store, r.Cause, store, cause)
	}
	if p, err := io.ReadAll(r); err != nil || string(p) != "content" {
		t.Errorf("got %q, %v", p, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// A first store that is away is waited for once, and asked again later.
func TestFirstAwayIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFlaky(), newFlaky()
		for _, f := range []*storagetest.Flaky{first, second} {
			mustPut(t, f, "x", "content")
		}
		recorder := &storagetest.Recorder{Bucket: first}
		var log strings.Builder
		b := mirror.New(stores(recorder, second), mirror.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		fails(first, "", storage.ErrUnavailable)
		for range 5 {
			if _, err := b.Stat(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
		}
		if n := recorder.Count("stat"); n != 1 {
			t.Errorf("the first store was asked %d times", n)
		}
		if n := strings.Count(log.String(), "gives no answer"); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, log.String())
		}
		first.Fail = nil
		time.Sleep(time.Minute)
		wantStore(t, b, "mem://1", nil)
	})
}

// A mirror that hangs keeps nobody waiting for what does not exist.
func TestAbsenceDoesNotWaitForMirrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := newFlaky()
		fails(second, "", storagetest.Block())
		b := mirror.New(stores(newFlaky(), second), mirror.Options{})
		start := time.Now()
		_, err := b.Get(t.Context(), "x", 0, -1)
		if took := time.Since(start); !errors.Is(err, storage.ErrNotExist) || took > 2*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// An interrupted Delete leaves the object in the first store's list.
func TestDelete(t *testing.T) {
	first, second := newFlaky(), newFlaky()
	b := mirror.New(stores(first, second), mirror.Options{})
	mustPut(t, b, "x", "content")
	fails(second, "delete", storage.ErrUnavailable)
	if err := b.Delete(t.Context(), "x"); !errors.Is(err, storage.ErrUnavailable) || has(t, first, "x") == "-" {
		t.Errorf("got %v, and the first store has %q", err, has(t, first, "x"))
	}
	second.Fail = nil
	if err := b.Delete(t.Context(), "x"); err != nil || has(t, first, "x") != "-" || has(t, second, "x") != "-" {
		t.Errorf("got %v, and the stores have %q, %q", err, has(t, first, "x"), has(t, second, "x"))
	}
}

func TestSame(t *testing.T) {
	big := strings.Repeat("x", 200<<10)
	for _, c := range []struct {
		name, a, b string
		want       error
	}{
		{"same", big, big, nil},
		{"empty", "", "", nil},
		{"one end and a bit", big[:65<<10], big[:65<<10], nil},
		{"longer", big, big + "x", mirror.ErrDiffers},
		{"other begin", big, "y" + big[1:], mirror.ErrDiffers},
		{"other end", big, big[1:] + "y", mirror.ErrDiffers},
		{"other end of a small one", "ab", "ac", mirror.ErrDiffers},
		{"other behind one end", big[:65<<10], big[:65<<10-1] + "y", mirror.ErrDiffers},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := storagetest.NewMemory(), storagetest.NewMemory()
			mustPut(t, a, "x", c.a)
			mustPut(t, b, "x", c.b)
			wantKind(t, "same", mirror.Same(t.Context(), a, b, "x"), c.want)
		})
	}
}

// A store that could not be opened fails like one that is away.
func TestUnopened(t *testing.T) {
	first, second := mirror.Unopened(storage.ErrUnavailable), storagetest.NewMemory()
	mustPut(t, second, "x", "content")
	b := mirror.New(stores(first, second), mirror.Options{})
	wantStore(t, b, "mem://2", storage.ErrUnavailable)
	_, err := list(t.Context(), b)
	wantKind(t, "list", err, mirror.ErrIncomplete)
	wantKind(t, "put", put(t.Context(), b, "y", "content"), storage.ErrUnavailable)
	wantKind(t, "delete", b.Delete(t.Context(), "y"), storage.ErrUnavailable)
	_, err = first.Stat(t.Context(), "x")
	wantKind(t, "stat", err, storage.ErrUnavailable)
}

func TestCompare(t *testing.T) {
	for _, c := range []struct{ name, a, b, want string }{
		{"nothing", "", "", ""},
		{"the same", "a b", "a b", "a+ b+"},
		{"only here", "a b", "", "a< b<"},
		{"only there", "", "a b", "a> b>"},
		{"mixed", "a b d", "b c e", "a< b+ c> d< e>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := storagetest.NewMemory(), storagetest.NewMemory()
			for bucket, names := range map[storage.Bucket]string{a: c.a, b: c.b} {
				for _, name := range strings.Fields(names) {
					mustPut(t, bucket, name, name)
				}
			}
			var got []string
			for p, err := range mirror.Compare(t.Context(), a, b) {
				if err != nil {
					t.Fatal(err)
				}
				sign := "+"
				if p.B == nil {
					sign = "<"
				} else if p.A == nil {
					sign = ">"
				}
				got = append(got, p.Name+sign)
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}

// A list that breaks off says nothing about what would have come.
func TestCompareEndsWithAnError(t *testing.T) {
	for _, broken := range []int{0, 1} {
		both := []*storagetest.Flaky{newFlaky(), newFlaky()}
		for _, f := range both {
			for _, name := range []string{"a", "b", "c"} {
				mustPut(t, f, name, name)
			}
		}
		fails(both[broken], "list", storagetest.Cut(1))
		var names []string
		var last error
		for p, err := range mirror.Compare(t.Context(), both[0], both[1]) {
			if last = err; err == nil {
				names = append(names, p.Name)
			}
		}
		if !errors.Is(last, storage.ErrUnavailable) || strings.Join(names, " ") != "a" {
			t.Errorf("store %d: got %q, %v", broken+1, names, last)
		}
	}
}

func repeated(b storage.Bucket) storage.Bucket { return storage.WithRetry(b, storage.Policy{}, nil) }

func TestRepeatedConformance(t *testing.T) {
	storagetest.TestBucket(t, func(*testing.T) storage.Bucket {
		return mirror.New(stores(storagetest.NewMemory(), storagetest.NewMemory()), mirror.Options{}).Repeated(repeated)
	})
}

// Reading waits for nobody as long as one store answers; writing does.
func TestRepeated(t *testing.T) {
	for _, c := range []struct {
		name  string
		fail  [2]error // of the first three calls of each store
		calls map[string]bool
	}{
		{"first fails", [2]error{storage.ErrUnavailable, nil}, map[string]bool{"get": false, "list": false, "put": true}},
		{"mirror fails", [2]error{nil, storage.ErrUnavailable}, map[string]bool{"get": false, "list": false, "put": true}},
		{"both fail", [2]error{storage.ErrUnavailable, storage.ErrUnavailable}, map[string]bool{"get": true, "list": true, "put": true}},
	} {
		for op, waits := range c.calls {
			t.Run(c.name+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var buckets []storage.Bucket
					for i := range c.fail {
						f := newFlaky()
						mustPut(t, f, "x", "content")
						f.Fail = func(_, _ string, n int) error {
							if n > 3 {
								return nil
							}
							return c.fail[i]
						}
						buckets = append(buckets, f)
					}
					b := mirror.New(stores(buckets...), mirror.Options{}).Repeated(repeated)
					start := time.Now()
					var err error
					switch op {
					case "get":
						_, err = storage.ReadAll(t.Context(), b, "x", 100)
					case "list":
						_, err = list(t.Context(), b)
					case "put":
						err = put(t.Context(), b, "y", "content")
					}
					if err != nil && !errors.Is(err, mirror.ErrIncomplete) {
						t.Error(err)
					}
					if waited := time.Since(start) > 0; waited != waits {
						t.Errorf("waited %v, want %v", time.Since(start), waits)
					}
				})
			})
		}
	}
}

// What could not be opened is not repeated: it stays so.
func TestRepeatedUnopened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mirror.New(stores(mirror.Unopened(storage.ErrUnavailable), newFlaky()), mirror.Options{}).Repeated(repeated)
		start := time.Now()
		wantKind(t, "put", put(t.Context(), b, "x", "content"), storage.ErrUnavailable)
		if took := time.Since(start); took > 0 {
			t.Errorf("took %v", took)
		}
	})
}
