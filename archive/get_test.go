package archive_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/keys"
	keyfile "walarchive/keys/file"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

func TestGetDeliversEveryKindOfFile(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(1)
	s.pushHistory(2, left(1, 0x300100))
	backup := names[0] + ".00000028.backup"
	s.push(backup, []byte("START WAL LOCATION: 0/3000028\n"))
	content[backup] = []byte("START WAL LOCATION: 0/3000028\n")
	content["00000002.history"] = wal.History{Timeline: 2, Entries: []wal.HistoryEntry{left(1, 0x300100)}}.Bytes()
	for name, want := range content {
		dest := filepath.Join(t.TempDir(), "file")
		got, err := s.a.Get(t.Context(), s.target, name, dest, archive.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dest)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, want) || got.Plain != int64(len(want)) || got.Object != s.object(name) {
			t.Errorf("%s: got %+v and %d bytes", name, got, len(b))
		}
	}
}

// A hit asks for the histories above the server's own timeline, to know whether
// its WAL is cut, and for the segment, and never lists.
func TestHitsNeverListAndCostFewRequests(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	child := branchAt(s.Writer, 2)
	s.writeUp(child, 4, 4)
	s.pushHistory(2, left(1, 0x400028))
	tests := []struct {
		name, file string
		dest       string
		timeline   wal.Timeline
		want       int // gets
	}{
		{"latest", names[0], recoveryDest, 0, 3}, // 00000002.history, that of 3, the segment
		{"the child's", seg(2, 4), recoveryDest, 0, 3},
		{"timeline 2 asked for", names[0], recoveryDest, 2, 2},
		{"timeline 1 asked for", names[0], recoveryDest, 1, 1},
		{"by hand", names[0], "pg_wal/" + names[0], 0, 1},
		{"history", "00000002.history", "pg_wal/RECOVERYHISTORY", 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.calls.Reset()
			if _, err := s.a.Get(t.Context(), s.target, tt.file, tt.dest, archive.GetOptions{Timeline: tt.timeline}); err != nil {
				t.Fatal(err)
			}
			if calls := s.calls.Calls(); len(calls) != tt.want || s.calls.Count("get") != tt.want {
				t.Errorf("got %v, want %d gets and nothing else", calls, tt.want)
			}
		})
	}
}

// Whatever happens on the way, there is nothing under the file's name.
func TestFailedGetLeavesNothing(t *testing.T) {
	down := errors.New("no route to host")
	onSegments := func(err error) func(op, name string, n int) error {
		return func(op, name string, n int) error {
			if op == "get" && strings.HasSuffix(name, "000000010000000000000003") {
				return err
			}
			return nil
		}
	}
	tests := []struct {
		name string
		fail error
		want error
	}{
		{"store out of reach", down, down},
		{"answer lost", storagetest.Lost(), storage.ErrUnavailable},
		{"broken off in the header", storagetest.Cut(100), storage.ErrUnavailable},
		{"broken off in the middle", storagetest.Cut(20_000), storage.ErrUnavailable},
		{"truncated to nothing", storagetest.Short(0), archive.ErrDamaged},
		{"truncated in the header", storagetest.Short(100), archive.ErrDamaged},
		{"truncated in the middle", storagetest.Short(20_000), archive.ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			names, _ := s.fill(1)
			s.faults.Fail = onSegments(tt.fail)
			_, _, err := restore(t, s.a, s.target, names[0], archive.GetOptions{})
			wantError(t, err, tt.want)
			if errors.Is(err, archive.ErrDamaged) != (tt.want == archive.ErrDamaged) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// One wrong bit, wherever it is, and nothing is delivered.
func TestGetRefusesChangedObjects(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	object := s.object(names[0])
	sound := sealed(t, s.stored, object)
	for _, at := range []int{20, 2000, len(sound) / 2, len(sound) - 1} {
		overwrite(t, s.stored, object, flip(sound, at))
		_, _, err := restore(t, s.a, s.target, names[0], archive.GetOptions{})
		wantError(t, err, archive.ErrDamaged, keys.ErrNoKey)
	}
	overwrite(t, s.stored, object, append(slices.Clip(sound), 0))
	_, _, err := restore(t, s.a, s.target, names[0], archive.GetOptions{})
	wantError(t, err, archive.ErrDamaged)
}

func TestGetRefusesMovedObjects(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(2)
	overwrite(t, s.stored, s.object(names[0]), sealed(t, s.stored, s.object(names[1])))
	_, _, err := restore(t, s.a, s.target, names[0], archive.GetOptions{})
	wantError(t, err, archive.ErrDamaged)
}

func TestGetRefusesOtherClusters(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	for name, change := range map[string]func(*archive.DataDir){
		"system identifier": func(d *archive.DataDir) { d.Control.SystemID++ },
		"major version":     func(d *archive.DataDir) { d.Major++ },
		"segment size":      func(d *archive.DataDir) { d.Control.SegmentSize *= 2 },
	} {
		d := *s.target
		change(&d)
		for _, file := range []string{names[0], "00000002.history", seg(1, 99)} {
			if _, _, err := restore(t, s.a, &d, file, archive.GetOptions{}); !errors.Is(err, archive.ErrForeign) {
				t.Errorf("other %s, %s: got %v, want %v", name, file, err, archive.ErrForeign)
			}
		}
	}
}

// A key file that is missing is no missing WAL: taken for the end of the
// archive it would end a recovery early.
func TestMissingKeyIsNotAbsence(t *testing.T) {
	s := newSite(t, archive.Options{TDE: fetchFrom(filepath.Join(t.TempDir(), "gone"))})
	names, _ := s.fill(1)
	encryptingTarget(t, s.target)
	_, _, err := restore(t, s.a, s.target, names[0], archive.GetOptions{})
	wantError(t, err, keys.ErrUnavailable)
	if errors.Is(err, archive.ErrEnd) || errors.Is(err, archive.ErrHole) {
		t.Errorf("a missing key file counts as absence: %v", err)
	}
}

// The same for the key of the object itself: here of an epoch that the key
// chain has lost, whose wraps name a keyring that is gone.
func TestMissingEpochKeyIsNotAbsence(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	open := func() *keys.Ring {
		return keys.NewRing(map[string]keys.Provider{"local": keyfile.New(first), "second": keyfile.New(second)})
	}
	ring, to := open(), keys.Ref{Provider: "second", Key: "wal-2027"}
	for _, ref := range []keys.Ref{principal, to} {
		if err := ring.Create(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, archive.Options{})
	s.stored = storagetest.NewMemory()
	s.a = initArchive(t, s.stored, ring, s.dir, archive.Options{})
	if err := s.a.RotatePrincipal(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	names, _ := s.fill(1)
	s.pushHistory(2, left(1, 0x300100))
	if err := errors.Join(os.Remove(second), s.stored.Delete(t.Context(), "keys/00000002")); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), s.stored, open(), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []archive.GetOptions{{Timeline: 1}, {Timeline: 2}, {}} {
		for _, name := range []string{names[0], "00000002.history"} {
			_, _, err := restore(t, a, s.target, name, o)
			wantError(t, err, keys.ErrUnavailable)
			if errors.Is(err, archive.ErrEnd) || errors.Is(err, archive.ErrHole) {
				t.Errorf("a missing key file counts as absence: %v", err)
			}
		}
	}
}

func TestMissingDirectoryIsNotAbsence(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	dest := filepath.Join(t.TempDir(), "gone", "RECOVERYXLOG")
	_, err := s.a.Get(t.Context(), s.target, names[0], dest, archive.GetOptions{})
	wantError(t, err, os.ErrNotExist)
	if errors.Is(err, archive.ErrEnd) || errors.Is(err, archive.ErrHole) {
		t.Errorf("a missing directory counts as absence: %v", err)
	}
}

func TestGetEndsWithItsContext(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	ctx, cancel := context.WithCancel(t.Context())
	arrived := 0
	stop := archive.GetOptions{Progress: func() {
		if arrived++; arrived == 2 {
			cancel()
		}
	}}
	s.faults.Fail = func(op, name string, n int) error {
		if arrived > 0 {
			t.Errorf("%s %s after the end", op, name)
		}
		return nil
	}
	big := &slowBucket{s.stored}
	a, err := archive.Open(t.Context(), big, s.ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Get(ctx, s.target, names[0], recoveryDest, stop)
	wantError(t, err, context.Canceled)
	wantNothing(t, s.target)
}

func TestGetRefusesNamesThatAreNoWAL(t *testing.T) {
	s := newSite(t, archive.Options{})
	for _, name := range []string{"", "x", "../secret", "00000001000000000000000g", "0000000100000000FFFFFFFF"} {
		_, _, err := restore(t, s.a, s.target, name, archive.GetOptions{})
		wantError(t, err, wal.ErrName)
	}
}

// What an authentic object holds must still be the segment of its name.
func TestGetChecksTheFirstPage(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, content := s.fill(2)
	other := small
	other.SystemID++
	foreign := waltest.New(other, 1, 0x300000)
	foreign.Fill(0)
	tests := []struct {
		name  string
		plain []byte
		want  error
	}{
		{"another address", content[names[1]], archive.ErrDamaged},
		{"another system", foreign.Segment(3), archive.ErrForeign},
		{"no WAL", make([]byte, small.SegmentSize), archive.ErrDamaged},
		{"a later timeline", func() []byte {
			w := waltest.New(small, 2, 0x300000)
			w.Fill(0)
			return w.Segment(3)
		}(), archive.ErrDamaged},
		{"long", append(bytes.Clone(content[names[0]]), make([]byte, wal.PageSize)...), archive.ErrDamaged},
		{"short", content[names[0]][:1<<19], archive.ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := s.object(names[0])
			if err := s.stored.Delete(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			archive.PutForged(t, s.a, object, s.id, tt.plain, nil)
			_, _, err := restore(t, s.a, s.target, names[0], archive.GetOptions{})
			wantError(t, err, tt.want)
		})
	}
}

func TestGetPartialOnRequest(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(1)
	s.Skip(512)
	fork := s.LSN()
	unfinished := s.Segment(4)
	s.pushHistory(2, left(1, fork))
	s.push(seg(1, 4)+".partial", unfinished)

	_, _, err := restore(t, s.a, s.target, seg(1, 4), archive.GetOptions{})
	wantError(t, err, archive.ErrEnd)
	for _, name := range []string{seg(1, 4), seg(1, 4) + ".partial"} {
		dest := filepath.Join(t.TempDir(), "file")
		if _, err := s.a.Get(t.Context(), s.target, name, dest, archive.GetOptions{Partial: true}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(dest); err != nil || !bytes.Equal(got, unfinished) {
			t.Errorf("%s: other bytes (%v)", name, err)
		}
	}
}
