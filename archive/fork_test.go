package archive_test

import (
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
)

// forked is a site whose timeline 2 left timeline 1 in segment 5, while the old
// leader went on to the end of segment 7. Of timeline 2 only the history is
// archived.
func forked(t *testing.T, fill func(s *site)) (s *site, fork wal.LSN) {
	t.Helper()
	s = newSite(t, archive.Options{})
	s.fill(2) // 3, 4
	fill(s)
	fork = s.LSN()
	s.writeUp(s.Writer, 5, 7)
	s.pushHistory(2, left(1, fork))
	return s, fork
}

// The parent's fork segment is zeros from exactly the fork on.
func TestForkSegmentIsCut(t *testing.T) {
	tests := []struct {
		name string
		fill func(s *site)
		want wal.LSN // 0: wherever the last record ended
	}{
		{"in mid-page", func(s *site) { s.Fill(600_000) }, 0},
		{"on the first page", func(s *site) { s.Skip(24) }, 0x500040},
		{"at a page's start", func(s *site) { s.Fill(64 * wal.PageSize) }, 0x580000},
		{"32 bytes before the segment's end", func(s *site) { s.Fill(32) }, 0x5FFFE0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, fork := forked(t, tt.fill)
			if tt.want != 0 && fork != tt.want {
				t.Fatalf("the fork is at %v, want %v", fork, tt.want)
			}
			cut := zeroed(s.Segment(5), int(fork-0x500000))
			for name, d := range map[string]*archive.DataDir{"plain": s.target, "encrypted": encrypted(t)} {
				b, got, err := restore(t, s.open(d), d, seg(1, 5), archive.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if name == "encrypted" {
					decrypt(t, d, fetchFrom(d.Path), seg(1, 5), b)
				}
				if at := firstDifference(b, cut); at != len(cut) || got.Cut != fork {
					t.Errorf("%s: differs at %d, cut at %v, want zeros from %v", name, at, got.Cut, fork)
				}
			}
		})
	}
}

// A fork exactly at a segment's end cuts nothing before it and leaves nothing
// behind it.
func TestForkAtASegmentsEnd(t *testing.T) {
	s, fork := forked(t, func(s *site) { s.Fill(0) })
	if fork != 0x600000 {
		t.Fatalf("the fork is at %v", fork)
	}
	if got := mustRestore(t, s.a, s.target, seg(1, 5), s.Segment(5)); got.Cut != 0 {
		t.Errorf("cut at %v", got.Cut)
	}
	_, _, err := restore(t, s.a, s.target, seg(1, 6), archive.GetOptions{})
	wantError(t, err, archive.ErrEnd)
}

func TestSegmentsBeyondTheForkCountAsAbsent(t *testing.T) {
	s, _ := forked(t, func(s *site) { s.Fill(600_000) })
	for _, no := range []wal.SegmentNo{6, 7, 8} {
		_, _, err := restore(t, s.a, s.target, seg(1, no), archive.GetOptions{})
		wantError(t, err, archive.ErrEnd)
	}
}

func TestSegmentsBeforeTheForkAreWhole(t *testing.T) {
	s, _ := forked(t, func(s *site) { s.Fill(600_000) })
	if got := mustRestore(t, s.a, s.target, seg(1, 4), s.Segment(4)); got.Cut != 0 {
		t.Errorf("cut at %v", got.Cut)
	}
}

// Who follows the parent on purpose gets all of it, and so do pg_rewind and
// people, who ask under other names.
func TestWhoFollowsTheParentGetsItWhole(t *testing.T) {
	s, _ := forked(t, func(s *site) { s.Fill(600_000) })
	for _, no := range []wal.SegmentNo{5, 6} {
		for name, call := range map[string]struct {
			dest     string
			timeline wal.Timeline
		}{
			"--timeline 1": {recoveryDest, 1},
			"by hand":      {"pg_wal/" + seg(1, no), 0},
		} {
			got, err := s.a.Get(t.Context(), s.target, seg(1, no), call.dest, archive.GetOptions{Timeline: call.timeline})
			if err != nil || got.Cut != 0 {
				t.Errorf("%s, segment %d: got %+v, %v, want it whole", name, no, got, err)
			}
		}
	}
}

// Which timeline a recovery follows decides where each of its ancestors is cut.
// Timelines 2 and 3 left 1, 4 left 3 and 5 left 2; 5 has no descendant in 4.
func TestWhichForkCuts(t *testing.T) {
	const a, b, c, d = 0x500100, 0x500900, 0x600100, 0x600900
	histories := map[wal.Timeline][]wal.HistoryEntry{
		2: {left(1, a)},
		3: {left(1, b)},
		4: {left(1, b), left(3, c)},
		5: {left(1, a), left(2, d)},
	}
	tests := []struct {
		name    string
		have    []wal.Timeline
		server  wal.Timeline // on which it is
		asked   wal.Timeline
		segment string
		cut     wal.LSN
	}{
		{"no child", nil, 1, 0, seg(1, 5), 0},
		{"one child", []wal.Timeline{2}, 1, 0, seg(1, 5), a},
		{"the newest of two children", []wal.Timeline{2, 3}, 1, 0, seg(1, 5), b},
		{"the older child asked for", []wal.Timeline{2, 3}, 1, 2, seg(1, 5), a},
		{"grandchild: its parent's fork", []wal.Timeline{2, 3, 4}, 1, 0, seg(1, 5), b},
		{"grandchild: its own fork", []wal.Timeline{2, 3, 4}, 1, 0, seg(3, 6), c},
		{"the newest, by number", []wal.Timeline{2, 3, 4, 5}, 1, 0, seg(1, 5), a},
		{"a server on an intermediate timeline", []wal.Timeline{2, 3, 4, 5}, 3, 0, seg(3, 6), c},
		{"its ancestors", []wal.Timeline{2, 3, 4, 5}, 3, 0, seg(1, 5), b},
		{"newer ones that do not descend from it", []wal.Timeline{2, 3, 4}, 2, 0, seg(2, 6), 0},
		{"its own ancestors then", []wal.Timeline{2, 3, 4}, 2, 0, seg(1, 5), a},
		{"PostgreSQL stops at the first missing history", []wal.Timeline{2, 4}, 1, 0, seg(1, 5), a},
		{"and finds none behind a gap", []wal.Timeline{3, 4}, 1, 0, seg(1, 5), 0},
		{"asked for, behind the gap", []wal.Timeline{4}, 1, 4, seg(3, 6), c},
		{"of a timeline not followed", []wal.Timeline{2, 3}, 1, 0, seg(2, 6), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			for _, tl := range tt.have {
				s.pushHistory(tl, histories[tl]...)
			}
			n, err := wal.ParseSegment(tt.segment, small.SegmentSize)
			if err != nil {
				t.Fatal(err)
			}
			s.forge(n)
			s.target.Control.CheckpointTimeline = tt.server
			_, got, err := restore(t, s.a, s.target, tt.segment, archive.GetOptions{Timeline: tt.asked})
			if err != nil {
				t.Fatal(err)
			}
			if got.Cut != tt.cut {
				t.Errorf("cut at %v, want %v", got.Cut, tt.cut)
			}
		})
	}
}

// The server's own timeline is that of its check point or, on a standby that
// has gone on since, of its minimum recovery point.
func TestAStandbysOwnTimeline(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.pushHistory(2, left(1, 0x500100))
	s.pushHistory(3, left(1, 0x500900))
	s.forge(wal.Segment{Timeline: 1, No: 5, Size: small.SegmentSize})
	s.target.Control.CheckpointTimeline = 1
	s.target.Control.MinRecovery.Timeline = 2
	_, got, err := restore(t, s.a, s.target, seg(1, 5), archive.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Cut != 0x500100 {
		t.Errorf("cut at %v, want 0/500100", got.Cut)
	}
}

// A history that cannot be read leaves the fork unknown, and the segment where
// it is.
func TestDamagedHistoryStopsTheGet(t *testing.T) {
	s, _ := forked(t, func(s *site) { s.Fill(600_000) })
	object := s.object("00000002.history")
	overwrite(t, s.stored, object, flip(sealed(t, s.stored, object), 900))
	_, _, err := restore(t, s.a, s.target, seg(1, 4), archive.GetOptions{})
	wantError(t, err, archive.ErrDamaged)
}
