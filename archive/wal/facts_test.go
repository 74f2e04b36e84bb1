package wal_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

var update = flag.Bool("update", false, "write testdata/facts.json anew; for a new version of the format only")

var noon = wal.TimestampOf(time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC))

// rich is a segment with one of everything that makes a fact, opened and
// closed by records that cross its ends.
func rich() *waltest.Writer {
	w := newWriter()
	w.Fill(24)
	w.Skip(80)
	w.ParameterChange(wal.ParameterChange{
		MaxConnections: 100, MaxWorkerProcesses: 8, MaxWALSenders: 10, MaxPreparedXacts: 2,
		MaxLocksPerXact: 64, Level: wal.LevelLogical, TrackCommitTimestamp: true,
	})
	redo := w.Checkpoint(0, 1<<32+735)
	w.Commit(waltest.Xact{XID: 736, Time: noon})
	w.Abort(waltest.Xact{XID: 735, Time: noon + 2e6})
	w.Checkpoint(redo, 1<<32+737)
	w.BackupEnd(redo)
	w.RestorePoint(`C:\before <the> "upgrade", café`, noon)
	w.Tablespace(16454, "/srv/Übung \xFF")
	w.TDE(wal.TDEDeletePrincipalKey, []byte{0x80, 6, 0, 0})
	w.TDE(0x00, make([]byte, 12))
	w.TDE(0x50, make([]byte, 12))
	w.TDE(0x50, make([]byte, 12))
	w.Promote(2, noon)
	w.Torn(9000, 1)
	w.Record(12, 0x10, 0, []byte("hash"))
	w.Record(200, 0x10, 0, []byte("custom"))
	w.Fill(40)
	w.Skip(160)
	return w
}

// TestFactsAreFrozen: archives hold this JSON for ever.
func TestFactsAreFrozen(t *testing.T) {
	facts, end, _ := scan(t, seg3.Next().On(2), rich().Segment(4), wal.ScanOptions{})
	wantEnd(t, end, wal.EndFull, seg3.Next().End())
	var got bytes.Buffer
	if err := json.Indent(&got, encode(t, facts), "", "\t"); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const golden = "testdata/facts.json"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got facts\n%s\nwant\n%s", got.Bytes(), want)
	}
}

// Lists that grow too long end early and say so; the other facts stay.
func TestOverflow(t *testing.T) {
	long := strings.Repeat("\x01", 63) // the longest there is in JSON
	for list, write := range map[string]func(w *waltest.Writer){
		"restore_points":    func(w *waltest.Writer) { w.RestorePoint(long, noon) },
		"checkpoints":       func(w *waltest.Writer) { w.Checkpoint(0, 1<<63) },
		"ends_of_recovery":  func(w *waltest.Writer) { w.Promote(1, noon) },
		"backup_ends":       func(w *waltest.Writer) { w.BackupEnd(1 << 60) },
		"parameter_changes": func(w *waltest.Writer) { w.ParameterChange(wal.ParameterChange{MaxConnections: -1 << 31}) },
		"tablespaces":       func(w *waltest.Writer) { w.Tablespace(1<<31, strings.Repeat("\xFE", 1023)) },
		"overwrites":        func(w *waltest.Writer) { w.Torn(9000, 1) },
		"tde":               func(w *waltest.Writer) { w.TDE(wal.TDEWriteKeyProvider, make([]byte, 1176)) },
	} {
		t.Run(list, func(t *testing.T) {
			w := newWriter()
			for range 110 {
				write(w)
			}
			w.Fill(0)
			facts, end, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
			wantEnd(t, end, wal.EndFull, seg3.End())
			encode(t, facts)
			if !slices.Equal(facts.Overflow, []string{list}) || !facts.Incomplete(list) {
				t.Errorf("got overflow %q, want %s", facts.Overflow, list)
			}
			var members map[string]json.RawMessage
			if err := json.Unmarshal(encode(t, facts), &members); err != nil {
				t.Fatal(err)
			}
			var kept []json.RawMessage
			if err := json.Unmarshal(members[list], &kept); err != nil || len(kept) == 0 || len(kept) >= 110 {
				t.Errorf("%d of 110 kept, %v", len(kept), err)
			}
		})
	}
}

// A list that ended early gets no more members, however short.
func TestOverflowKeepsABeginning(t *testing.T) {
	w := newWriter()
	for range 40 {
		w.RestorePoint(strings.Repeat("n", 63), noon)
	}
	short := w.RestorePoint("n", noon)
	w.Switch()
	facts, _, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
	points := facts.RestorePoints
	if n := len(points); n == 0 || n >= 40 || points[n-1].LSN == short {
		t.Errorf("kept %d restore points, the last at %v", n, points[n-1].LSN)
	}
}

func TestManyTimelines(t *testing.T) {
	w := newWriter()
	for range 100 {
		w.Promote(w.Timeline()+1, noon)
		w.Skip(8000)
	}
	w.Fill(0)
	facts, end, _ := scan(t, seg3.On(w.Timeline()), w.Segment(3), wal.ScanOptions{})
	wantEnd(t, end, wal.EndFull, seg3.End())
	if n := len(facts.PageTimelines); n != 64 || !facts.Incomplete("page_timelines") {
		t.Errorf("%d page timelines, left out %v", n, facts.Overflow)
	}
}

// A record shorter than its kind needs is left out, and that is said.
func TestShortRecords(t *testing.T) {
	for list, c := range map[string]struct {
		rmgr wal.Rmgr
		info uint8
		need int // bytes of main data
	}{
		"checkpoints":       {wal.RmgrXLOG, 0x10, 84},
		"backup_ends":       {wal.RmgrXLOG, 0x50, 8},
		"parameter_changes": {wal.RmgrXLOG, 0x60, 26},
		"restore_points":    {wal.RmgrXLOG, 0x70, 9},
		"ends_of_recovery":  {wal.RmgrXLOG, 0x90, 20},
		"overwrites":        {wal.RmgrXLOG, 0xD0, 16},
		"tablespaces":       {wal.RmgrTablespace, 0, 5},
	} {
		for n := range c.need + 1 {
			w := newWriter()
			w.Record(c.rmgr, c.info, 0, make([]byte, n))
			w.Switch()
			facts, end, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
			wantEnd(t, end, wal.EndSwitch, end.LSN)
			if facts.Incomplete(list) != (n < c.need) {
				t.Errorf("%s of %d bytes: left out %v", list, n, facts.Overflow)
			}
		}
	}
}

// The worst segment: every list full, every resource manager, both ends open.
func TestFactsAreBounded(t *testing.T) {
	w := newWriter()
	w.Fill(24)
	w.Skip(8000)
	for i := range 64 {
		w.RestorePoint(strings.Repeat("\x01", 63), noon)
		w.Checkpoint(0, 1<<63)
		w.Promote(wal.Timeline(1000+i*100_000_000/64), noon)
		w.BackupEnd(1 << 60)
		w.ParameterChange(wal.ParameterChange{MaxConnections: -1 << 31, MaxWorkerProcesses: -1 << 31, Level: -1 << 31})
		w.Tablespace(1<<31, strings.Repeat("\xFE", 1023))
		w.TDE(wal.TDEWriteKeyProvider, make([]byte, 1176))
		w.TDE(wal.TDEInfo(i<<4), nil)
	}
	for r := range 256 {
		if wal.Rmgr(r).Valid() {
			w.Record(wal.Rmgr(r), 0x20, 0, nil)
		}
	}
	w.Fill(3000)
	w.Skip(8000)
	facts, end, _ := scan(t, wal.Segment{Timeline: 1 << 31, No: 4, Size: wal.MinSegmentSize}, w.Segment(4), wal.ScanOptions{})
	wantEnd(t, end, wal.EndFull, seg3.Next().End())
	b := encode(t, facts)
	if len(b) < wal.MaxFactsSize/2 {
		t.Errorf("the worst facts have %d bytes only: is this the worst?", len(b))
	}
	t.Logf("%d bytes", len(b))
}

func TestFactsRefuseWhatTheyDoNotPrint(t *testing.T) {
	for _, s := range []string{
		`{"first_lsn":3}`, `{"first_lsn":"x"}`, `{"end":{"lsn":"0/0","kind":"good"}}`, `{"records":{"Heap3":1}}`,
		`{"records":{"custom100":1}}`, `{"xacts":{"lowest_time":"yesterday"}}`, `{"restore_points":[{"name":"\\q"}]}`,
		`{"checkpoints":[{"wal_level":"none"}]}`, `{"checkpoints":[{"next_xid":1}]}`, `{"tde":[{"info":"0x1"}]}`,
		`{"tde_other":{"80":1}}`, `{"parameter_changes":[{"wal_level":"+1"}]}`,
	} {
		var f wal.Facts
		if err := json.Unmarshal([]byte(s), &f); err == nil {
			t.Errorf("%s was read as %+v", s, f)
		}
	}
}

func TestRmgr(t *testing.T) {
	var valid int
	for i := range 256 {
		r := wal.Rmgr(i)
		back, err := wal.ParseRmgr(r.String())
		if r.Valid() {
			valid++
		}
		if r.Valid() != (err == nil) || r.Valid() && back != r {
			t.Errorf("%d prints as %s and parses as %d, %v", i, r, back, err)
		}
	}
	if valid != 22+128 || wal.Rmgr(140).String() != "custom140" || wal.Rmgr(21).String() != "LogicalMessage" {
		t.Errorf("%d managers, 140 is %s, 21 is %s", valid, wal.Rmgr(140), wal.Rmgr(21))
	}
}

func TestTimestamp(t *testing.T) {
	for s, want := range map[string]wal.Timestamp{
		"2000-01-01T00:00:00.000000Z": 0,
		"1999-12-31T23:59:59.999999Z": -1,
		"2026-11-21T22:54:54.322096Z": 848616894322096,
		"9999-12-31T23:59:59.999999Z": 252455615999999999,
		"0001-01-01T00:00:00.000000Z": -63082281600000000,
		"252455616000000000":          252455616000000000,
		"-9223372036854775808":        -1 << 63,
		"9223372036854775807":         1<<63 - 1,
	} {
		got, err := wal.ParseTimestamp(s)
		if err != nil || got != want || want.String() != s {
			t.Errorf("%s: parsed as %d (%v), want %d, which prints as %s", s, int64(got), err, int64(want), want)
		}
	}
	for _, s := range []string{"", "0", "+1", "now", "2026-11-21T22:54:54Z", "2026-11-21T22:54:54,322096Z", "2026-11-21T22:54:54.322096+00:00"} {
		if got, err := wal.ParseTimestamp(s); err == nil {
			t.Errorf("%q was read as %v", s, got)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[wal.Text]string{
		"":                  "",
		"before upgrade":    "before upgrade",
		`C:\data`:           `C:\\data`,
		"caf\xE9":           `caf\xe9`,
		"café":              "café",
		"\\\xFF\\":          `\\\xff\\`,
		"nul\x00\uFFFD\x7F": "nul\x00\uFFFD\x7F",
	} {
		b, err := text.MarshalText()
		if err != nil || string(b) != want {
			t.Errorf("%q prints as %q, want %q", string(text), b, want)
		}
		var back wal.Text
		if err := back.UnmarshalText(b); err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", string(text), string(back), err)
		}
	}
	for _, s := range []string{`\`, `\x`, `\x1`, `\xgg`, `\n`, `a\`} {
		var back wal.Text
		if err := back.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%q was read as %q", s, string(back))
		}
	}
}

func ExampleFacts() {
	w := waltest.New(wal.Identity{SystemID: 7, Major: 17, SegmentSize: 1 << 20}, 1, 3<<20)
	w.RestorePoint("before the upgrade", noon)
	w.Switch()
	s := wal.NewScanner(w.Name(3), wal.ScanOptions{})
	if err := s.Next(w.Segment(3)); err != nil {
		fmt.Println(err)
	}
	facts, end := s.Close()
	for _, p := range facts.RestorePoints {
		fmt.Printf("%v %v %s\n", p.LSN, p.Time, p.Name)
	}
	fmt.Println(end.Kind, end.LSN)
	// Output:
	// 0/300028 2026-07-01T12:00:00.123456Z before the upgrade
	// switch 0/3000A8
}
