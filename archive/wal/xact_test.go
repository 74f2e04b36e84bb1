package wal_test

import (
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

// Commits and aborts give time and top-level id, whatever else they carry,
// however long they are and wherever pages and segments cut them.
func TestXactRange(t *testing.T) {
	for _, major := range []int{15, 16, 17, 18} {
		for name, x := range map[string]waltest.Xact{
			"bare":                     {},
			"database":                 {Database: true},
			"subtransactions":          {Subxacts: 64},
			"files and statistics":     {Relations: 9, Stats: 5},
			"everything":               {Database: true, Subxacts: 3, Relations: 2, Stats: 3, Invals: 20, Origin: true},
			"100,000 subtransactions":  {Subxacts: 100_000},
			"50,000 invalidations":     {Database: true, Relations: 1, Invals: 50_000},
			"statistics by the 10,000": {Stats: 10_000, Subxacts: 1},
		} {
			for _, prepared := range []bool{false, true} {
				for _, room := range []int{8000, 8, 16, 24, 40} {
					x.Prepared = prepared
					testXact(t, major, x, room, name)
				}
			}
		}
	}
}

// testXact ends two transactions, the second with room bytes left of its page.
func testXact(t *testing.T, major int, x waltest.Xact, room int, name string) {
	t.Helper()
	id := wal.Identity{SystemID: 1, Major: major, SegmentSize: 2 << 20}
	seg := wal.Segment{Timeline: 1, No: 3, Size: id.SegmentSize}
	w := waltest.New(id, 1, seg.Start())
	x.XID, x.Time = 4_000_000_000, noon
	w.Abort(x)
	w.Skip(400)
	if left := int(wal.PageSize - w.LSN()%wal.PageSize); left > room+24 {
		w.Skip(left - room)
	}
	x.XID, x.Time = 3_999_999_000, noon-1
	w.Commit(x)
	w.Switch()
	facts, end, _ := scan(t, seg, w.Segment(3), wal.ScanOptions{Identity: id})
	wantEnd(t, end, wal.EndSwitch, end.LSN)
	want := wal.XactRange{LowestTime: noon - 1, HighestTime: noon, LowestXID: 3_999_999_000, HighestXID: 4_000_000_000}
	if facts.Xacts == nil || *facts.Xacts != want || facts.Overflow != nil {
		t.Errorf("PostgreSQL %d, %s, prepared %t, %d bytes of the page left: got %+v (left out: %v), want %+v",
			major, name, x.Prepared, room, facts.Xacts, facts.Overflow, want)
	}
}

// Times run backwards now and then, and not every record has an id.
func TestXactRangeOfMany(t *testing.T) {
	w := newWriter()
	w.Commit(waltest.Xact{XID: 900, Time: noon})
	w.Commit(waltest.Xact{XID: 0, Time: noon - 5})
	w.Abort(waltest.Xact{XID: 901, Time: noon + 9, Prepared: true})
	w.Commit(waltest.Xact{XID: 899, Time: noon + 1})
	w.Switch()
	facts, _, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
	want := wal.XactRange{LowestTime: noon - 5, HighestTime: noon + 9, LowestXID: 899, HighestXID: 901}
	if *facts.Xacts != want {
		t.Errorf("got %+v, want %+v", *facts.Xacts, want)
	}
}

// A record that promises a prepared transaction's id and does not have it
// makes the range incomplete.
func TestXactRangeIncomplete(t *testing.T) {
	at := make([]byte, 8)
	for name, c := range map[string]struct {
		flag uint8 // 0x80: more than the time
		data []byte
	}{
		"no time":         {0x80, []byte{1, 2, 3}},
		"no flag":         {0x00, append(at, 0x10, 0, 0, 0, 7, 0, 0, 0)},
		"no id":           {0x80, at},
		"id not promised": {0x80, append(at, 1, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0)},
		"id cut":          {0x80, append(at, 0x10, 0, 0, 0, 7, 0)},
		"count too large": {0x80, append(at, 0x12, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0)},
	} {
		w := newWriter()
		w.Record(wal.RmgrTransaction, 0x30|c.flag, 0, c.data)
		w.Switch()
		facts, end, _ := scan(t, seg3, w.Segment(3), wal.ScanOptions{})
		wantEnd(t, end, wal.EndSwitch, end.LSN)
		if !facts.Incomplete("xacts") {
			t.Errorf("%s: got %+v, complete", name, facts.Xacts)
		}
	}
}
