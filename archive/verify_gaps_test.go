package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// found lists a report's problems as kind and object, of gaps the segments.
func found(r *archive.Report) string {
	var all []string
	for _, p := range r.Problems {
		object := p.Object[strings.LastIndexByte(p.Object, '/')+1:]
		all = append(all, string(p.Kind)+" "+object)
	}
	return strings.Join(all, ", ")
}

func gap(first, last string) string {
	if first == last {
		return "gap " + first
	}
	return "gap " + first + ".." + last
}

func verify(t testing.TB, a *archive.Archive, o archive.VerifyOptions) *archive.Report {
	t.Helper()
	r, err := a.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// listedSite is a site in whose archive objects stand that only listings look
// at, and the real histories. Ranges are such as 1/3-9.
func listedSite(t *testing.T, histories map[wal.Timeline][]wal.HistoryEntry, ranges ...string) *site {
	t.Helper()
	s := newSite(t, archive.Options{})
	for _, r := range ranges {
		var tl wal.Timeline
		var first, last wal.SegmentNo
		if _, err := fmt.Sscanf(r, "%d/%d-%d", &tl, &first, &last); err != nil {
			t.Fatal(err)
		}
		for no := first; no <= last; no++ {
			s.list(seg(tl, no))
		}
	}
	for tl, entries := range histories {
		s.pushHistory(tl, entries...)
	}
	return s
}

// list makes a WAL file of segment or partial segment appear in listings.
func (s *site) list(name string) {
	s.t.Helper()
	s.putObject("wal/00000001/" + name[:8] + "/" + name[8:16] + "/" + name)
}

func TestVerifyFindsGaps(t *testing.T) {
	type histories = map[wal.Timeline][]wal.HistoryEntry
	// Forks lie in the middle of a segment, 5 and 8 for timelines 2 and 3.
	const at5, at8 = 0x580000, 0x880000
	two := histories{2: {left(1, at5)}}
	three := histories{2: {left(1, at5)}, 3: {left(1, at5), left(2, at8)}}
	tests := []struct {
		name      string
		histories histories
		ranges    []string
		more      func(s *site)
		want      string
	}{
		{"nothing archived", nil, nil, nil, ""},
		{"no gap", nil, []string{"1/3-9"}, nil, ""},
		{"one segment", nil, []string{"1/3-5", "1/7-9"}, nil, gap(seg(1, 6), seg(1, 6))},
		{"several", nil, []string{"1/3-4", "1/7-8", "1/10-10"}, nil, gap(seg(1, 5), seg(1, 6)) + ", " + gap(seg(1, 9), seg(1, 9))},
		{"over a log's end", nil, []string{"1/4090-4094", "1/4097-4099"}, nil, gap(seg(1, 4095), seg(1, 4096))},
		{"a partial segment is no segment", nil, []string{"1/3-5", "1/7-9"}, func(s *site) { s.list(seg(1, 6) + ".partial") }, gap(seg(1, 6), seg(1, 6))},

		{"fork", two, []string{"1/3-5", "2/5-9"}, nil, ""},
		{"fork, the parent's segment absent", two, []string{"1/3-4", "2/5-9"}, nil, ""},
		{"fork, the parent's segment partial", two, []string{"1/3-4", "2/5-9"}, func(s *site) { s.list(seg(1, 5) + ".partial") }, ""},
		{"fork, the child's segment absent", two, []string{"1/3-5", "2/6-9"}, nil, gap(seg(2, 5), seg(2, 5))},
		{"the parent's last segments absent", two, []string{"1/3-3", "2/5-9"}, nil, gap(seg(1, 4), seg(1, 4))},
		{"no WAL of the child yet", two, []string{"1/3-5"}, nil, ""},
		{"the parent's end missing, no WAL of the child yet", two, []string{"1/3-3"}, nil, gap(seg(1, 4), seg(1, 4))},
		{"a dead branch is no gap", two, []string{"1/3-5", "1/8-9", "2/5-7"}, nil, ""},
		{"fork at a segment's start", histories{2: {left(1, 0x500000)}}, []string{"1/3-4", "2/5-9"}, nil, ""},
		{"fork at a segment's start, gap before", histories{2: {left(1, 0x500000)}}, []string{"1/3-3", "2/5-9"}, nil, gap(seg(1, 4), seg(1, 4))},

		{"grandchild", three, []string{"1/3-4", "2/5-7", "3/8-9"}, nil, ""},
		{"a timeline in between is lost", three, []string{"1/3-4", "3/8-9"}, nil, gap(seg(2, 5), seg(2, 7))},
		{"it and its parent's end", three, []string{"1/3-3", "3/8-9"}, nil, gap(seg(1, 4), seg(1, 4)) + ", " + gap(seg(2, 5), seg(2, 7))},
		{"begins on timeline 3", histories{3: three[3]}, []string{"3/8-9"}, nil, ""},
		{"begins on timeline 3, in its middle", histories{3: three[3]}, []string{"3/20-29"}, nil, ""},
		{"begins on timeline 2", histories{2: two[2], 3: three[3]}, []string{"2/7-7", "3/8-9"}, nil, ""},
		{"two children of one parent", histories{2: two[2], 3: {left(1, at8)}}, []string{"1/3-7", "2/5-6", "3/8-9"}, nil, ""},
		{"two children, gap before the later fork", histories{2: two[2], 3: {left(1, at8)}}, []string{"1/3-5", "2/5-6", "3/8-9"}, nil, gap(seg(1, 6), seg(1, 7))},

		{"history missing", nil, []string{"1/3-5", "2/5-9"}, nil, "history 00000002.history"},
		{"history of a partial segment missing", nil, []string{"1/3-5"}, func(s *site) { s.list(seg(2, 5) + ".partial") }, "history 00000002.history"},
		{"history in the middle missing", histories{3: three[3]}, []string{"1/3-4", "2/5-7", "3/8-9"}, nil, "history 00000002.history"},
		{"history and WAL in the middle missing", histories{3: three[3]}, []string{"1/3-4", "3/8-9"}, nil, gap(seg(2, 5), seg(2, 7)) + ", history 00000002.history"},
		{"history of a number in between missing", histories{4: {left(1, at5)}}, []string{"1/3-4", "4/5-9"}, nil, "history 00000002.history"},
		{"history of timeline 3, where the archive begins", nil, []string{"3/8-9"}, nil, "history 00000003.history"},
		{"histories that contradict each other", histories{2: two[2], 3: {left(1, at8), left(2, at8)}}, []string{"1/3-4", "2/5-7", "3/8-9"}, nil, "timelines 00000003.history"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := listedSite(t, tt.histories, tt.ranges...)
			if tt.more != nil {
				tt.more(s)
			}
			r := verify(t, s.a, archive.VerifyOptions{Level: archive.LevelNames})
			if got := found(r); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestVerifyFindsObjectsThatAreNotOurs(t *testing.T) {
	s := listedSite(t, nil, "1/3-3")
	want := []string{
		"quarantine/x",
		"wal/00000001/00000001/00000000/thumbs.db",
		"wal/00000001/00000001/" + seg(1, 4),              // not in its folder
		"wal/00000007/00000001/00000000/" + seg(1, 4),     // no such incarnation
		"wal/00000001/00000001/00000000/" + seg(1, 3)[1:], // no name
	}
	for _, name := range want {
		s.putObject(name)
	}
	slices.Sort(want)
	var got []string
	for _, p := range verify(t, s.a, archive.VerifyOptions{Level: archive.LevelNames}).Problems {
		if p.Kind == archive.ProblemUnknown {
			got = append(got, p.Object)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVerifyWithinLimits(t *testing.T) {
	two := map[wal.Timeline][]wal.HistoryEntry{2: {left(1, 0x580000)}}
	ranges := []string{"1/3-3", "1/5-5", "2/5-6", "2/8-9"}
	gap14, gap27 := gap(seg(1, 4), seg(1, 4)), gap(seg(2, 7), seg(2, 7))
	tests := []struct{ name, from, to, want string }{
		{"none", "", "", gap14 + ", " + gap27},
		{"from behind the first gap", seg(1, 5), "", gap27},
		{"from the child", seg(2, 5), "", gap27},
		{"from behind both", seg(2, 8), "", ""},
		{"to before the first gap", "", seg(1, 3), ""},
		{"to before the second", "", seg(2, 6), gap14},
		{"both, sound", seg(2, 5), seg(2, 6), ""},
		{"from missing", seg(2, 7), "", gap27},
		{"to missing", "", seg(2, 7), gap14 + ", " + gap27},
		{"from beyond the end", seg(2, 20), "", gap(seg(2, 20), seg(2, 20))},
		{"to beyond the end", seg(2, 8), seg(2, 11), gap(seg(2, 10), seg(2, 11))},
		{"to before the beginning", "", seg(1, 1), gap(seg(1, 1), seg(1, 1))},
		{"from before the beginning", seg(1, 1), seg(1, 3), gap(seg(1, 1), seg(1, 2))},
		{"from on the dead branch", seg(1, 5), seg(1, 5), ""},
		{"on a timeline that is not there", seg(3, 5), seg(3, 6), gap(seg(3, 5), seg(3, 6))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := listedSite(t, two, ranges...)
			r := verify(t, s.a, archive.VerifyOptions{Level: archive.LevelNames, From: tt.from, To: tt.to})
			if got := found(r); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestVerifyRefusesBadLimits(t *testing.T) {
	s := newSite(t, archive.Options{})
	for _, o := range []archive.VerifyOptions{
		{From: "x"}, {To: "000000010000000000000001.partial"}, {From: seg(1, 2), To: seg(1, 1)}, {From: seg(2, 1), To: seg(1, 5)},
		{Accepted: []archive.SegmentRange{{First: strings.Repeat("F", 24), Last: strings.Repeat("F", 24)}}},
	} {
		o.Level = archive.LevelNames
		if _, err := s.a.Verify(t.Context(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// Of a gap only what nobody accepted is a problem.
func TestAcceptedGaps(t *testing.T) {
	s := listedSite(t, nil, "1/3-4", "1/11-12") // 5 to 10 are missing
	bad := make([]byte, small.SegmentSize)
	for _, name := range []string{seg(1, 5), seg(1, 8)} {
		path := s.put(name, bad)
		if _, err := s.a.Quarantine(t.Context(), s.dir, path, "lost power"); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name     string
		accepted []string
		want     string
		notes    int // the two files under quarantine are noted, too
	}{
		{"none", nil, gap(seg(1, 6), seg(1, 7)) + ", " + gap(seg(1, 9), seg(1, 10)), 4},
		{"a part", []string{seg(1, 6)}, gap(seg(1, 7), seg(1, 7)) + ", " + gap(seg(1, 9), seg(1, 10)), 5},
		{"over the ends", []string{seg(1, 1) + ".." + seg(1, 6), seg(1, 9) + ".." + seg(1, 99)}, gap(seg(1, 7), seg(1, 7)), 5},
		{"all", []string{seg(1, 5) + ".." + seg(1, 10)}, "", 3},
		{"of another timeline", []string{seg(2, 5) + ".." + seg(2, 10)}, gap(seg(1, 6), seg(1, 7)) + ", " + gap(seg(1, 9), seg(1, 10)), 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := archive.VerifyOptions{Level: archive.LevelNames}
			for _, a := range tt.accepted {
				r, err := archive.ParseSegmentRange(a)
				if err != nil {
					t.Fatal(err)
				}
				o.Accepted = append(o.Accepted, r)
			}
			r := verify(t, s.a, o)
			if got := found(r); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if len(r.Notes) != tt.notes {
				t.Errorf("got notes %q, want %d", r.Notes, tt.notes)
			}
			var missing int64
			for _, g := range r.Timelines[0].Gaps {
				missing += g.Segments
			}
			if missing != 6 {
				t.Errorf("gaps %v of %d segments, want 6", r.Timelines[0].Gaps, missing)
			}
		})
	}
}

// A gap that was accepted stays so when the cluster goes on with segments of
// another size, where there is no such name.
func TestAcceptedGapOfAClosedIncarnation(t *testing.T) {
	s := listedSite(t, nil, "1/4000-4000", "1/4002-4002")
	big := small
	big.SegmentSize = 64 << 20
	a, err := archive.Init(t.Context(), s.calls, s.ring, principal, newHost(t, big).dir, true, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	missing := seg(1, 4001)
	o := archive.VerifyOptions{Level: archive.LevelNames, Accepted: []archive.SegmentRange{{First: missing, Last: missing}}}
	if r := verify(t, a, o); !r.Sound() {
		t.Errorf("got %s", found(r))
	}
}

func TestParseSegmentRange(t *testing.T) {
	for _, good := range []string{seg(1, 5) + ".." + seg(1, 9), seg(1, 5) + ".." + seg(1, 5)} {
		r, err := archive.ParseSegmentRange(good)
		if err != nil || r.String() != good {
			t.Errorf("got %v, %v, want %s", r, err, good)
		}
	}
	for _, bad := range []string{"", "..", seg(1, 5) + "..", seg(1, 5) + ".." + seg(1, 4), seg(1, 5) + ".." + seg(2, 6), seg(1, 5) + "-" + seg(1, 6)} {
		if r, err := archive.ParseSegmentRange(bad); err == nil {
			t.Errorf("%q: got %v", bad, r)
		}
	}
}

// Segments that are stored while verify lists are no gap: what a listing does
// not show is asked for once more.
func TestVerifyBesideARunningArchiver(t *testing.T) {
	s := listedSite(t, nil, "1/3-5", "1/8-9")
	s.faults.Fail = func(op, name string, n int) error {
		if op == "list" && name == "quarantine/" { // WAL is listed by now
			s.stored.Put(context.Background(), "wal/00000001/00000001/00000000/"+seg(1, 6), strings.NewReader(""))
			s.stored.Put(context.Background(), "wal/00000001/00000001/00000000/"+seg(1, 7), strings.NewReader(""))
		}
		return nil
	}
	if r := verify(t, s.a, archive.VerifyOptions{Level: archive.LevelNames}); !r.Sound() {
		t.Errorf("got %s", found(r))
	}
}

func TestVerifyThatCannotListFails(t *testing.T) {
	for name, fault := range map[string]error{"refused": storage.ErrPermission, "broken off": storagetest.Cut(2)} {
		t.Run(name, func(t *testing.T) {
			s := listedSite(t, nil, "1/3-9")
			s.faults.Fail = func(op, _ string, _ int) error {
				if op == "list" {
					return fault
				}
				return nil
			}
			if r, err := s.a.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelNames}); err == nil {
				t.Errorf("got %+v", r)
			}
		})
	}
	s := listedSite(t, nil, "1/3-3", "1/5-5")
	s.faults.Fail = func(op, _ string, _ int) error {
		if op == "stat" {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	if _, err := s.a.Verify(t.Context(), archive.VerifyOptions{Level: archive.LevelNames}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want that the gap could not be confirmed", err)
	}
}
