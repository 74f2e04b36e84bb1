package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt/tde/tdetest"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// rotatedHost is a server whose key was rotated in each of its first three
// segments, and their archive: four entries of the event log.
func rotatedHost(t *testing.T) (*host, *archive.Archive, *storagetest.Memory, *keys.Ring) {
	t.Helper()
	h := tdeHost(t, "k0")
	b, ring := storagetest.NewMemory(), newRing(t)
	a := initArchive(t, b, ring, h.dir, archive.Options{Host: "db1"})
	mustPush(t, a, h.dir, h.full())
	for _, key := range []string{"k1", "k2", "k3"} {
		h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, key))
		mustPush(t, a, h.dir, h.full())
	}
	return h, a, b, ring
}

func remake(t *testing.T, b storage.Bucket, name string, content []byte) {
	t.Helper()
	if content == nil {
		if err := b.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		return
	}
	overwrite(t, b, name, content)
}

// What somebody who can write to the bucket, and has no keys, does to the event
// log is found, whatever it is.
func TestForgedEventLog(t *testing.T) {
	for _, c := range []struct {
		name  string
		forge func(t *testing.T, b storage.Bucket)
		want  []string // objects that the problems name
		all   []string // the same, of who reads the facts of all segments, if more
	}{
		{"nothing", func(*testing.T, storage.Bucket) {}, nil, nil},
		{"a bit of an entry", func(t *testing.T, b storage.Bucket) {
			remake(t, b, "tde/00000002", flip(sealed(t, b, "tde/00000002"), 900))
		}, []string{"tde/00000002"}, nil},
		{"an entry cut short", func(t *testing.T, b storage.Bucket) {
			p := sealed(t, b, "tde/00000003")
			remake(t, b, "tde/00000003", p[:len(p)-40])
		}, []string{"tde/00000003"}, nil},
		{"an entry made up", func(t *testing.T, b storage.Bucket) {
			remake(t, b, "tde/00000003", []byte(`{"v":1,"n":3}`))
		}, []string{"tde/00000003"}, nil},
		{"the first one missing", func(t *testing.T, b storage.Bucket) { remake(t, b, "tde/00000001", nil) }, []string{"tde/00000001"}, nil},
		{"one in the middle missing", func(t *testing.T, b storage.Bucket) { remake(t, b, "tde/00000002", nil) }, []string{"tde/00000002"}, nil},
		{"two reordered", func(t *testing.T, b storage.Bucket) {
			p, q := sealed(t, b, "tde/00000002"), sealed(t, b, "tde/00000003")
			remake(t, b, "tde/00000002", q)
			remake(t, b, "tde/00000003", p)
		}, []string{"tde/00000002", "tde/00000003"}, nil},
		{"another object in its place", func(t *testing.T, b storage.Bucket) {
			remake(t, b, "tde/00000004", sealed(t, b, "wal/00000001/00000001/00000000/000000010000000000000003"))
		}, []string{"tde/00000004"}, nil},
		{"rolled back by one", func(t *testing.T, b storage.Bucket) { remake(t, b, "tde/00000004", nil) }, []string{"tde/00000004"}, nil},
		{"rolled back by two", func(t *testing.T, b storage.Bucket) {
			remake(t, b, "tde/00000003", nil)
			remake(t, b, "tde/00000004", nil)
		}, []string{"tde/00000004"}, []string{"tde/00000003", "tde/00000004"}},
		{"all of it missing", func(t *testing.T, b storage.Bucket) {
			for _, n := range []string{"1", "2", "3", "4"} {
				remake(t, b, "tde/0000000"+n, nil)
			}
		}, []string{"tde/00000004"}, []string{"tde/00000001", "tde/00000002", "tde/00000003", "tde/00000004"}},
		{"an object that is no entry", func(t *testing.T, b storage.Bucket) {
			if err := b.Put(t.Context(), "tde/5", strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
		}, []string{"tde/5"}, nil},
		{"garbage far ahead", func(t *testing.T, b storage.Bucket) {
			if err := b.Put(t.Context(), "tde/99999999", strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
		}, []string{"tde/00000005", "tde/99999999"}, nil},
		{"an old entry as a new one", func(t *testing.T, b storage.Bucket) {
			if err := b.Put(t.Context(), "tde/00000005", strings.NewReader(string(sealed(t, b, "tde/00000004")))); err != nil {
				t.Fatal(err)
			}
		}, []string{"tde/00000005"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, a, b, _ := rotatedHost(t)
			c.forge(t, b)
			wantEventProblems(t, a, c.want...)
			want := c.want
			if c.all != nil {
				want = c.all
			}
			wantVerifyProblems(t, a, want...)
			wantReadersToTell(t, a, c.want)
		})
	}
}

func wantEventProblems(t *testing.T, a *archive.Archive, want ...string) {
	t.Helper()
	l, err := a.EventLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range l.Problems {
		if p.Kind != archive.ProblemEvents && p.Kind != archive.ProblemUnknown {
			t.Errorf("problem %v", p)
		}
		got = append(got, p.Object)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got problems %v, want some of %q", l.Problems, want)
	}
	if len(want) > 0 {
		wantRefusal(t, l.Err(), archive.ErrEventLog, want[0])
	}
}

// An entry that a writer put in the place of one that was taken away does not
// hide that: the segments archived in between name the other one.
func TestEventLogWithAnotherHistory(t *testing.T) {
	h, a, b, ring := rotatedHost(t)
	old := sealed(t, b, "tde/00000004")
	remake(t, b, "tde/00000004", nil)
	other := newHost(t, small) // it knows nothing of the entry that is gone
	tdetest.KeyFile{KeyName: "k3"}.Write(t, other.dir.Path, "pg_tde")
	fresh, err := archive.Open(t.Context(), b, ring, archive.Options{Host: "db2"})
	if err != nil {
		t.Fatal(err)
	}
	mustPush(t, fresh, other.dir, other.put("000000010000000000000006", h.Segment(6)))
	wantEventProblems(t, a, "tde/00000004")

	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k4"))
	mustPush(t, fresh, other.dir, other.put("000000010000000000000007", fullSegment(h, 7)))
	wantEventProblems(t, a) // the newest segment knows no better
	wantVerifyProblems(t, a, "tde/00000004")
	remake(t, b, "tde/00000004", old)
	wantEventProblems(t, a, "tde/00000005")
}

// wantReadersToTell checks that whoever else reads the log says what is wrong.
func wantReadersToTell(t *testing.T, a *archive.Archive, objects []string) {
	t.Helper()
	_, err := a.NeededKeys(t.Context(), 0x300000, 0x6FFFFF, 0)
	if got := errors.Is(err, archive.ErrEventLog); got != (len(objects) > 0) {
		t.Errorf("keys needed: %v", err)
	}
	audit, history := strings.Join(audited(t, a, principal, nil).Problems, "\n"), fmt.Sprint(checkHistory(t, a).Problems)
	for _, object := range objects {
		if !strings.Contains(audit, object) || !strings.Contains(history, object) {
			t.Errorf("%s: keys audit has %q, keys history rebuild --check %q", object, audit, history)
		}
	}
}

// wantVerifyProblems checks what Verify, which reads the facts of all segments,
// finds wrong with the event log.
func wantVerifyProblems(t *testing.T, a *archive.Archive, want ...string) {
	t.Helper()
	r, err := a.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelFacts})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Problems {
		if p.Kind == archive.ProblemEvents || p.Kind == archive.ProblemUnknown {
			got = append(got, p.Object)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("verify has problems %v, want %q", r.Problems, want)
	}
}

func fullSegment(h *host, no wal.SegmentNo) []byte {
	h.Fill(0)
	return h.Segment(no)
}

// Damage to the newest segment does not hide that the log was cut.
func TestEventLogBesideADamagedSegment(t *testing.T) {
	h, a, b, _ := rotatedHost(t)
	mustPush(t, a, h.dir, h.full())
	object := "wal/00000001/00000001/00000000/000000010000000000000007"
	remake(t, b, object, flip(sealed(t, b, object), 900))
	wantEventProblems(t, a)
	remake(t, b, "tde/00000004", nil)
	wantEventProblems(t, a, "tde/00000004")
}

// Where the log cannot be read for other reasons, that is no word about it.
func TestEventLogOutOfReach(t *testing.T) {
	h, _, b, ring := rotatedHost(t)
	unreachable := errors.New("connection refused")
	flaky := &storagetest.Flaky{Bucket: b, Fail: func(op, name string, n int) error {
		if op == "get" && strings.HasPrefix(name, "tde/") {
			return unreachable
		}
		return nil
	}}
	a, err := archive.Open(t.Context(), flaky, ring, archive.Options{Host: "db1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.EventLog(t.Context()); !errors.Is(err, unreachable) {
		t.Errorf("got %v, want %v", err, unreachable)
	}
	if _, err := a.Push(context.Background(), h.dir, h.path("000000010000000000000003")); !errors.Is(err, unreachable) {
		t.Errorf("push: got %v, want %v", err, unreachable)
	}
}

// An entry of a later version stops readers, and no push.
func TestNewerEventLog(t *testing.T) {
	h, a, _, _ := rotatedHost(t)
	if err := archive.PutNewerEvent(t.Context(), a, 5); err != nil {
		t.Fatal(err)
	}
	_, err := a.EventLog(t.Context())
	wantRefusal(t, err, archive.ErrNewer, "tde/00000005")
	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k4"))
	mustPush(t, a, h.dir, h.full())
}

// The JSON of an entry is part of a format that does not change.
func TestEventEntryIsFrozen(t *testing.T) {
	want, err := os.ReadFile("testdata/push/event-entry.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := archive.EventEntryExample() + "\n"; got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := archive.ReencodeEventEntry(bytes.TrimSpace(want)); err != nil {
		t.Error(err)
	}
}

// FuzzEventEntry: an entry that is read is one that would be written so.
func FuzzEventEntry(f *testing.F) {
	f.Add([]byte(archive.EventEntryExample()))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := archive.ReencodeEventEntry(b)
		if err == nil && string(again) != string(b) {
			t.Errorf("got %s, want %s", again, b)
		}
	})
}
