package archive_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/crypt"
	"walarchive/fixtures"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// wantFound verifies at levels facts and full; want is for both, unless full
// is given.
func wantFound(t *testing.T, s *site, want string, full ...string) {
	t.Helper()
	for _, level := range []archive.Level{archive.LevelFacts, archive.LevelFull} {
		if level == archive.LevelFull && len(full) > 0 {
			want = full[0]
		}
		r := verify(t, s.a, archive.VerifyOptions{Level: level})
		if got := found(r); got != want || len(r.Unchecked) > 0 {
			t.Errorf("level %v: got %s, unchecked %q, want %s\n%v", level, got, r.Unchecked, want, r.Problems)
		}
	}
}

func TestSoundArchive(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(3)
	s.Skip(2_500_000) // over two segments' ends
	s.push(seg(1, 6), s.Segment(6))
	s.push(seg(1, 7), s.Segment(7))
	s.Fill(500_000)
	fork := s.LSN()
	two := branchAt(s.Writer, 2)
	s.push("00000002.history", wal.History{Timeline: 2, Entries: []wal.HistoryEntry{left(1, fork)}}.Bytes())
	s.push(seg(1, 8)+".partial", s.Segment(8))
	s.push(names[1]+".00000028.backup", []byte("START WAL LOCATION: 0/400028\n"))
	two.Switch()
	s.writeUp(two, 8, 10)
	wantFound(t, s, "")

	r := verify(t, s.a, archive.VerifyOptions{Level: archive.LevelFull})
	if r.Objects != 10 || r.Bytes < 9*small.SegmentSize {
		t.Errorf("%d objects with %d bytes were looked into, want 10 with 9 MiB", r.Objects, r.Bytes)
	}
}

// Recorded WAL of four major versions, with crashes, records over several
// segments and a promotion: sound at every level.
func TestRecordedWALIsSound(t *testing.T) {
	recordings, err := fixtures.Recordings()
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recordings {
		t.Run(rec.Major, func(t *testing.T) {
			h := newHost(t, small)
			control, err := rec.Read("global/pg_control")
			if err != nil {
				t.Fatal(err)
			}
			for name, b := range map[string][]byte{"global/pg_control": control, "PG_VERSION": []byte(rec.Major + "\n")} {
				if err := os.WriteFile(filepath.Join(h.dir.Path, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := &site{host: h, stored: storagetest.NewMemory()}
			h.dir = dataDir(t, h.dir.Path)
			s.a = initArchive(t, s.stored, newRing(t), h.dir, archive.Options{})
			history, err := rec.Read("00000002.history")
			if err != nil {
				t.Fatal(err)
			}
			s.push("00000002.history", history)
			for _, name := range rec.Segments {
				b, err := rec.Segment(name)
				if err != nil {
					t.Fatal(err)
				}
				s.push(name, b)
			}
			wantFound(t, s, "")
		})
	}
}

// What is wrong with an object, and the first level that sees it.
func TestVerifyFindsDamage(t *testing.T) {
	damagedAt := func(no wal.SegmentNo) string { return "damaged " + seg(1, no) }
	forge := func(no wal.SegmentNo, change func(plain []byte) []byte) func(s *site, content map[string][]byte) {
		return func(s *site, content map[string][]byte) {
			object := s.object(seg(1, no))
			s.drop(seg(1, no))
			archive.PutForged(s.t, s.a, object, s.id, change(bytes.Clone(content[seg(1, no)])), nil)
		}
	}
	claim := func(change func(f *archive.Facts)) func(s *site, content map[string][]byte) {
		return func(s *site, content map[string][]byte) {
			object := s.object(seg(1, 4))
			s.drop(seg(1, 4))
			archive.PutForged(s.t, s.a, object, s.id, content[seg(1, 4)], change)
		}
	}
	change := func(no wal.SegmentNo, how func(sealed []byte) []byte) func(s *site, content map[string][]byte) {
		return func(s *site, _ map[string][]byte) {
			object := s.object(seg(1, no))
			overwrite(s.t, s.stored, object, how(sealed(s.t, s.stored, object)))
		}
	}
	tests := []struct {
		name        string
		spoil       func(s *site, content map[string][]byte)
		facts, full string
	}{
		{"cut to nothing", change(4, func(b []byte) []byte { return nil }), damagedAt(4), damagedAt(4)},
		{"cut in its header", change(4, func(b []byte) []byte { return b[:100] }), damagedAt(4), damagedAt(4)},
		{"cut in the middle", change(4, func(b []byte) []byte { return b[:len(b)/2] }), "", damagedAt(4)},
		{"its last byte cut", change(4, func(b []byte) []byte { return b[:len(b)-1] }), "", damagedAt(4)},
		{"bytes behind its end", change(4, func(b []byte) []byte { return append(b, 0) }), "", damagedAt(4)},
		{"a bit of its facts", change(4, func(b []byte) []byte { return flip(b, 1000) }), damagedAt(4), damagedAt(4)},
		{"a bit of its content", change(4, func(b []byte) []byte { return flip(b, len(b)-3000) }), "", damagedAt(4)},
		{"swapped with another", func(s *site, _ map[string][]byte) {
			a, b := s.object(seg(1, 4)), s.object(seg(1, 6))
			x, y := sealed(s.t, s.stored, a), sealed(s.t, s.stored, b)
			overwrite(s.t, s.stored, a, y)
			overwrite(s.t, s.stored, b, x)
		}, damagedAt(4) + ", " + damagedAt(6), damagedAt(4) + ", " + damagedAt(6)},
		{"of another archive of the same cluster", func(s *site, content map[string][]byte) {
			other := newSite(t, archive.Options{})
			other.push(seg(1, 4), content[seg(1, 4)])
			overwrite(s.t, s.stored, s.object(seg(1, 4)), sealed(s.t, other.stored, s.object(seg(1, 4))))
		}, damagedAt(4), damagedAt(4)},
		{"all zeros", forge(4, func([]byte) []byte { return make([]byte, small.SegmentSize) }), damagedAt(4), damagedAt(4)},
		{"the content of its neighbour", func(s *site, content map[string][]byte) {
			forge(4, func([]byte) []byte { return content[seg(1, 5)] })(s, content)
		}, damagedAt(4), damagedAt(4)},
		{"a record with a wrong CRC", forge(4, func(b []byte) []byte { return flip(b, 500_000) }), damagedAt(4), damagedAt(4)},
		{"shorter than its facts say", forge(4, func(b []byte) []byte { return b[:len(b)-wal.PageSize] }), damagedAt(4), damagedAt(4)},
		{"longer than its facts say", forge(4, func(b []byte) []byte { return append(b, make([]byte, wal.PageSize)...) }), "", damagedAt(4)},
		{"facts of another count", claim(func(f *archive.Facts) { f.WAL.Records[wal.RmgrXLOG]++ }), "", damagedAt(4)},
		{"facts of another digest", claim(func(f *archive.Facts) { f.Digest = crypt.DigestBytes(nil) }), "", damagedAt(4)},
		{"facts of another system", claim(func(f *archive.Facts) { f.SystemID++ }), damagedAt(4), damagedAt(4)},
		{"facts of another size", claim(func(f *archive.Facts) { f.Size *= 2 }), damagedAt(4), damagedAt(4)},
		{"facts without WAL", claim(func(f *archive.Facts) { f.WAL = nil }), damagedAt(4), damagedAt(4)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			_, content := s.fill(4) // 3 to 6
			tt.spoil(s, content)
			wantFound(t, s, tt.facts, tt.full)
		})
	}
}

// A segment that a diverged server wrote under the next name is sound by
// itself. Only its neighbours show that it does not belong there.
func TestVerifyFindsDivergedSegments(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(2) // 3, 4
	clone := s.Writer.Clone()
	s.Skip(4096) // the clone does not do this
	s.Fill(32)
	s.Skip(48) // crosses
	clone.Fill(64)
	clone.Skip(100) // crosses elsewhere
	s.push(seg(1, 5), s.Segment(5))
	clone.Fill(0)
	s.push(seg(1, 6), clone.Segment(6))
	clone.Fill(0)
	s.push(seg(1, 7), clone.Segment(7))
	wantFound(t, s, "broken "+seg(1, 6))
}

// Across a fork, the child's first segment continues its parent's.
func TestVerifyFollowsForks(t *testing.T) {
	for _, diverged := range []bool{false, true} {
		s := newSite(t, archive.Options{})
		s.fill(1) // 3
		s.Fill(32)
		parent := s.Writer.Clone()
		if diverged {
			parent = waltest.New(small, 1, 0x400000)
			parent.Fill(64)
			parent.Skip(24)
		}
		s.Skip(1000) // crosses into 5
		s.push(seg(1, 4), s.Segment(4))
		parent.Skip(1000)
		fork := parent.LSN()
		child := branchAt(parent, 2)
		s.pushHistory(2, left(1, fork))
		s.writeUp(child, 5, 6)
		want := ""
		if diverged {
			want = "broken " + seg(2, 5)
		}
		wantFound(t, s, want)
	}
}

// A run of segments that one worker verifies ends somewhere; the next begins in
// the light of its last.
func TestVerifyHoldsRunsTogether(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(62) // 3 to 64; the run ends with 66
	s.Fill(0)
	s.push(seg(1, 65), s.Segment(65))
	clone := s.Writer.Clone()
	s.Fill(32)
	s.Skip(48)
	clone.Fill(64)
	clone.Skip(100)
	s.push(seg(1, 66), s.Segment(66))
	clone.Fill(0)
	s.push(seg(1, 67), clone.Segment(67))
	wantFound(t, s, "broken "+seg(1, 67))
}

func TestVerifyNoticesALostKeyChainEntry(t *testing.T) {
	for name, lose := range map[string]int{"an epoch": 2, "a record": 3} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			s.fill(1)
			second := keys.Ref{Provider: "local", Key: "wal-2027"}
			if err := s.ring.Create(t.Context(), second); err != nil {
				t.Fatal(err)
			}
			if err := s.a.RotatePrincipal(t.Context(), second); err != nil {
				t.Fatal(err)
			}
			if err := s.a.RotatePrincipal(t.Context(), principal); err != nil {
				t.Fatal(err)
			}
			s.fill(1)
			for n := 3; n >= lose; n-- {
				if err := s.stored.Delete(t.Context(), "keys/0000000"+string(rune('0'+n))); err != nil {
					t.Fatal(err)
				}
			}
			a, err := archive.Open(t.Context(), s.calls, s.ring, archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.a = a
			wantFound(t, s, "keys "+seg(1, 4))
		})
	}
}

func TestVerifyLooksIntoSmallFiles(t *testing.T) {
	s := newSite(t, archive.Options{})
	names, _ := s.fill(1)
	backup := names[0] + ".00000028.backup"
	s.push(backup, []byte("START WAL LOCATION: 0/300028\n"))
	s.pushHistory(2, left(1, 0x300100))
	s.Skip(512)
	s.push(seg(1, 4)+".partial", s.Segment(4))
	for _, name := range []string{backup, "00000002.history", seg(1, 4) + ".partial"} {
		sound := sealed(t, s.stored, s.object(name))
		overwrite(t, s.stored, s.object(name), flip(sound, len(sound)-100))
		want := "damaged " + name
		if strings.HasSuffix(name, ".partial") {
			wantFound(t, s, "", want) // it is its content that is damaged
		} else {
			wantFound(t, s, want)
		}
		overwrite(t, s.stored, s.object(name), sound)
	}
}

// Trouble on the way to an object is not the object's fault.
func TestVerifyTellsUncheckedFromDamaged(t *testing.T) {
	for name, fault := range map[string]error{
		"out of reach": storage.ErrUnavailable, "refused": storage.ErrPermission,
		"broken in the header": storagetest.Cut(100), "broken in the content": storagetest.Cut(20_000),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			s.fill(3)
			s.faults.Fail = func(op, object string, n int) error {
				if op == "get" && strings.HasSuffix(object, seg(1, 4)) {
					return fault
				}
				return nil
			}
			r := verify(t, s.a, archive.VerifyOptions{Level: archive.LevelFull})
			if !r.Sound() || len(r.Unchecked) != 1 || !strings.Contains(r.Unchecked[0], seg(1, 4)) || r.Objects != 2 {
				t.Errorf("got %s, unchecked %q, %d objects", found(r), r.Unchecked, r.Objects)
			}
		})
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.fill(3)
	ctx, cancel := context.WithCancel(t.Context())
	o := archive.VerifyOptions{Level: archive.LevelFull, Progress: func(int, int64) { cancel() }}
	if _, err := s.a.Verify(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// Expiry removes the oldest segments first. What goes while verify runs, with
// all before it, is no gap; what goes from the middle is.
func TestVerifyBesideExpiry(t *testing.T) {
	tests := []struct {
		name string
		gone []string
		want string
	}{
		{"from the beginning", []string{seg(1, 3), seg(1, 4)}, ""},
		{"from the middle", []string{seg(1, 5)}, "gap " + seg(1, 5)},
		{"all of timeline 1", []string{seg(1, 3), seg(1, 4), seg(1, 5), seg(2, 6)}, ""},
		{"the child's first", []string{seg(2, 6)}, "gap " + seg(2, 6)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			s.fill(3) // 3 to 5
			s.Fill(600_000)
			fork := s.LSN()
			s.pushHistory(2, left(1, fork))
			s.writeUp(branchAt(s.Writer, 2), 6, 7)
			s.faults.Fail = func(op, name string, n int) error {
				if op == "list" && name == "damaged/" { // the last listing of the survey
					s.drop(tt.gone...)
				}
				return nil
			}
			r := verify(t, s.a, archive.VerifyOptions{Level: archive.LevelFacts})
			if got := found(r); got != tt.want || tt.want == "" && len(r.Notes) != len(tt.gone) {
				t.Errorf("got %s, notes %q, want %s", got, r.Notes, tt.want)
			}
		})
	}
}

// A sample looks into every nth run, another one each day, and says so.
func TestVerifySamples(t *testing.T) {
	day := atomic.Int64{}
	now := func() time.Time { return time.Unix(day.Load()*86400, 0) }
	s := newSite(t, archive.Options{Now: now})
	s.fill(1)
	for no := wal.SegmentNo(4); no < 3+3*64; no++ {
		s.list(seg(1, no))
	}
	days := map[int]int{}
	for range 3 {
		s.calls.Reset()
		r := verify(t, s.a, archive.VerifyOptions{Level: archive.LevelFacts, Sample: 3})
		days[s.calls.Count("get")]++
		if r.Sample != 3 {
			t.Errorf("the report says it is one of %d runs", r.Sample)
		}
		day.Add(1)
	}
	// The runs after the first are held against the segment before them.
	if days[64] != 1 || days[65] != 2 {
		t.Errorf("got %v days by segments looked into, want one with 64 and two with 65", days)
	}
}
