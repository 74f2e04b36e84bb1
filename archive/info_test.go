package archive_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/keys"
	"walarchive/storage"
)

// busySite has something of everything that info tells.
func busySite(t *testing.T) *site {
	t.Helper()
	at := time.Date(2026, 3, 1, 4, 5, 6, 0, time.UTC)
	s := newSite(t, archive.Options{Now: func() time.Time { return at }})
	s.fill(2) // 3, 4
	second := keys.Ref{Provider: "local", Key: "wal-2027"}
	if err := s.ring.Create(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := s.a.RotatePrincipal(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	s.fill(3) // 5 to 7
	s.drop(seg(1, 5))
	path := s.put(seg(1, 5), make([]byte, small.SegmentSize))
	if _, err := s.a.Quarantine(t.Context(), s.dir, path, "bit rot"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.Commit(waltest.Xact{XID: 735, Time: wal.Timestamp(800_000_000_000_000)})
	s.Fill(600_000)
	s.push(seg(1, 8)+".partial", s.Segment(8))
	s.pushHistory(2, left(1, s.LSN()))
	two := branchAt(s.Writer, 2)
	two.Commit(waltest.Xact{XID: 736, Time: wal.Timestamp(800_000_000_000_000)})
	s.writeUp(two, 8, 10)
	s.drop(seg(2, 9))
	s.putObject(archive.DamagedObject("wal/00000001/00000001/00000000/"+seg(1, 6), 1))
	return s
}

// infoForms are what Info says, without what differs from run to run: sizes and keys.
func infoForms(t *testing.T, a *archive.Archive) (text, asJSON string) {
	t.Helper()
	i, err := a.Info(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	i.Anchor = keys.Anchor{}
	for n := range i.Epochs {
		i.Epochs[n].ID = "random"
	}
	for n := range i.Incarnations {
		for m := range i.Incarnations[n].Timelines {
			if tl := &i.Incarnations[n].Timelines[m]; tl.Bytes > 0 {
				tl.Bytes = 1000
			}
		}
	}
	var b, c bytes.Buffer
	if err := i.Text(&b); err != nil {
		t.Fatal(err)
	}
	if err := i.JSON(&c); err != nil {
		t.Fatal(err)
	}
	return b.String(), c.String()
}

func TestInfo(t *testing.T) {
	text, asJSON := infoForms(t, busySite(t).a)
	golden(t, "info.txt", []byte(text))
	golden(t, "info.json", []byte(asJSON))
}

func TestInfoOfAnEmptyArchive(t *testing.T) {
	s := newSite(t, archive.Options{})
	i, err := s.a.Info(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Incarnations) != 1 || len(i.Incarnations[0].Timelines) != 0 || len(i.Epochs) != 1 || len(i.Problems) != 0 {
		t.Errorf("got %+v", i)
	}
}

// A gap that the configuration accepts is shown as such.
func TestInfoShowsAcceptedGaps(t *testing.T) {
	s := listedSite(t, nil, "1/3-5", "1/7-9")
	accepted, err := archive.ParseSegmentRange(seg(1, 6))
	if err != nil {
		t.Fatal(err)
	}
	i, err := s.a.Info(t.Context(), []archive.SegmentRange{accepted})
	if err != nil {
		t.Fatal(err)
	}
	gaps := i.Incarnations[0].Timelines[0].Gaps
	if len(gaps) != 1 || gaps[0].First != seg(1, 6) || gaps[0].Accepted == "" {
		t.Errorf("gaps %+v, want %s accepted", gaps, seg(1, 6))
	}
}

// The contiguous end is that of the first run, whatever is archived behind it.
func TestInfoContiguousEnd(t *testing.T) {
	two := map[wal.Timeline][]wal.HistoryEntry{2: {left(1, 0x580000)}}
	tests := []struct {
		name      string
		histories map[wal.Timeline][]wal.HistoryEntry
		ranges    []string
		want      map[wal.Timeline]string
	}{
		{"no gap", nil, []string{"1/3-9"}, map[wal.Timeline]string{1: seg(1, 9)}},
		{"gap", nil, []string{"1/3-5", "1/7-9"}, map[wal.Timeline]string{1: seg(1, 5)}},
		{"gaps", nil, []string{"1/3-3", "1/5-5", "1/9-9"}, map[wal.Timeline]string{1: seg(1, 3)}},
		{"the child's first missing", two, []string{"1/3-4", "2/6-9"}, map[wal.Timeline]string{1: seg(1, 4), 2: ""}},
		{"the parent's last missing", two, []string{"1/3-3", "2/5-9"}, map[wal.Timeline]string{1: seg(1, 3), 2: seg(2, 9)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := listedSite(t, tt.histories, tt.ranges...)
			i, err := s.a.Info(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, tl := range i.Incarnations[0].Timelines {
				if tl.Contiguous != tt.want[tl.Timeline] {
					t.Errorf("timeline %v: got %q, want %q", tl.Timeline, tl.Contiguous, tt.want[tl.Timeline])
				}
			}
		})
	}
}

// What is wrong with one object, info says, and goes on with the rest.
func TestInfoGoesOnBesideTrouble(t *testing.T) {
	tests := []struct {
		name, file string
		spoil      func(s *site, object string)
		kind       archive.ProblemKind
	}{
		{"damaged", seg(2, 10), func(s *site, object string) { overwrite(s.t, s.stored, object, []byte("x")) }, archive.ProblemDamaged},
		{"out of reach", seg(2, 10), func(s *site, object string) {
			s.faults.Fail = func(_, name string, _ int) error {
				if name == object {
					return storage.ErrUnavailable
				}
				return nil
			}
		}, archive.ProblemUnreadable},
		{"history damaged", "00000002.history", func(s *site, object string) { overwrite(s.t, s.stored, object, []byte("x")) }, archive.ProblemDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := busySite(t)
			object := s.object(tt.file)
			tt.spoil(s, object)
			i, err := s.a.Info(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(i.Problems) != 1 || i.Problems[0].Kind != tt.kind || i.Problems[0].Object != object {
				t.Errorf("got %v", i.Problems)
			}
			if tls := i.Incarnations[0].Timelines; len(tls) != 2 || tls[0].Newest == nil || tls[0].Segments != 4 {
				t.Errorf("got timelines %+v", tls)
			}
			var b strings.Builder
			if err := i.Text(&b); err != nil || !strings.Contains(b.String(), "PROBLEM: "+string(tt.kind)) {
				t.Errorf("got %v,\n%s", err, &b)
			}
		})
	}
}

func TestInfoJSONReadsBack(t *testing.T) {
	_, asJSON := infoForms(t, busySite(t).a)
	var i archive.Info
	if err := json.Unmarshal([]byte(asJSON), &i); err != nil {
		t.Fatal(err)
	}
	if i.Incarnations[0].Timelines[1].Newest.Segment != seg(2, 10) {
		t.Errorf("got %+v", i)
	}
}
