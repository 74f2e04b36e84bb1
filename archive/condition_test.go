package archive_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/storage"
	"walarchive/storage/mirror"
	"walarchive/storage/storagetest"
)

// No archive is made where objects can be replaced, unless that is accepted.
func TestInitRefusesOverwriting(t *testing.T) {
	for name, open := range map[string]func(bad storage.Bucket) storage.Bucket{
		"store": func(bad storage.Bucket) storage.Bucket { return bad },
		"mirror": func(bad storage.Bucket) storage.Bucket {
			return mirror.New([]mirror.Store{{Name: "a", Bucket: storagetest.NewMemory()}, {Name: "b", Bucket: bad}}, mirror.Options{})
		},
	} {
		for _, lies := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				h, memory := newHost(t, small), storagetest.NewMemory()
				b, ring := open(overwriting{memory, lies}), newRing(t)
				_, err := archive.Init(t.Context(), b, ring, principal, h.dir, false, archive.Options{})
				wantRefusal(t, err, archive.ErrOverwrites, "")
				if left := objects(t, memory); len(left) != 0 {
					t.Errorf("left behind: %v", left)
				}
				o := archive.Options{AcceptOverwrites: true, Spool: t.TempDir()}
				mustPush(t, initArchive(t, b, ring, h.dir, o), h.dir, h.full())
				if lies {
					return // only a probe finds that out
				}
				o.AcceptOverwrites = false
				a, err := archive.Open(t.Context(), b, ring, o)
				if err != nil {
					t.Fatal(err)
				}
				_, err = a.Push(t.Context(), h.dir, h.full())
				wantRefusal(t, err, archive.ErrOverwrites, "")
			})
		}
	}
}

// A store that ignores conditions from now on gets no WAL and no key-chain
// entry, also when it is a mirror.
func TestPushRefusesOverwriting(t *testing.T) {
	h, memory, ring := newHost(t, small), storagetest.NewMemory(), newRing(t)
	initArchive(t, memory, ring, h.dir, archive.Options{})
	path := h.full()
	for name, b := range map[string]storage.Bucket{
		"store":  overwriting{memory, false},
		"mirror": mirror.New([]mirror.Store{{Name: "a", Bucket: memory}, {Name: "b", Bucket: overwriting{storagetest.NewMemory(), false}}}, mirror.Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := archive.Open(t.Context(), b, ring, archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, err = a.Push(t.Context(), h.dir, path)
				wantRefusal(t, err, archive.ErrOverwrites, "")
			}
			wantRefusal(t, a.RotatePrincipal(t.Context(), generation("g2")), archive.ErrOverwrites, "")
			wantObjects(t, memory)
		})
	}
	a, err := archive.Open(t.Context(), overwriting{memory, false}, ring, archive.Options{AcceptOverwrites: true})
	if err != nil {
		t.Fatal(err)
	}
	mustPush(t, a, h.dir, path)
	i, err := a.Info(t.Context(), nil)
	if err != nil || len(i.Warnings) != 1 {
		t.Errorf("got warnings %q, %v", i.Warnings, err)
	}
}

// The condition is asked for once a day and for other stores anew; what cannot
// be asked is no refusal and asked again.
func TestConditionIsAskedOnceADay(t *testing.T) {
	h, ring := newHost(t, small), newRing(t)
	flaky := &storagetest.Flaky{Bucket: storagetest.NewMemory()}
	b := &storagetest.Recorder{Bucket: flaky}
	initArchive(t, b, ring, h.dir, archive.Options{})
	o := archive.Options{Spool: t.TempDir(), Stores: "here"}
	for _, c := range []struct {
		name   string
		stores string
		later  time.Duration
		fail   error // of the question
		asks   bool
	}{
		{"out of reach", "here", 0, storage.ErrUnavailable, true},
		{"no right to", "here", 0, storage.ErrPermission, true},
		{"the first time", "here", 0, nil, true},
		{"again", "here", time.Hour, nil, false},
		{"elsewhere", "there", time.Hour, nil, true},
		{"the next day", "here", 25 * time.Hour, nil, true},
		{"clock set back", "here", -time.Hour, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.Stores = c.stores
			o.Now = func() time.Time { return time.Now().Add(c.later) }
			a, err := archive.Open(t.Context(), b, ring, o)
			if err != nil {
				t.Fatal(err)
			}
			flaky.Fail = func(op, name string, _ int) error {
				if op == "put" && name == "cluster.json" {
					return c.fail
				}
				return nil
			}
			b.Reset()
			for range 2 {
				if _, err := a.Push(t.Context(), h.dir, h.full()); err != nil && !errors.Is(err, c.fail) {
					t.Fatal(err)
				}
			}
			asked := 0
			for _, call := range b.Calls() {
				if call == (storagetest.Call{Op: "put", Name: "cluster.json"}) {
					asked++
				}
			}
			want := 0
			if c.asks {
				want = 1
			}
			if c.fail != nil {
				want = 2
			}
			if asked != want {
				t.Errorf("asked %d times, want %d", asked, want)
			}
		})
	}
}

// A mirror that does not answer holds up a push that does without it no longer
// than a moment.
func TestConditionDoesNotWaitForMirrors(t *testing.T) {
	w := newTwin(t)
	path := w.full()
	lax, err := archive.Open(t.Context(), w.bucket(1), w.ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w.second.Fail = func(_, _ string, _ int) error { return storagetest.Block() }
		start := time.Now()
		mustPush(t, lax, w.dir, path)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
