package wal_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/fixtures"
)

// recorded is a stretch of consecutive recorded segments of one timeline.
type recorded struct {
	id      wal.Identity
	history *wal.History
	names   []string
	content [][]byte
}

func openRecording(t *testing.T, r fixtures.Recording) recorded {
	t.Helper()
	major, err := strconv.Atoi(r.Major)
	if err != nil {
		t.Fatal(err)
	}
	control, err := r.Control()
	if err != nil {
		t.Fatal(err)
	}
	system, err := strconv.ParseUint(control["system_identifier"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Read("00000002.history")
	if err != nil {
		t.Fatal(err)
	}
	history, err := wal.ParseHistory(2, b)
	if err != nil {
		t.Fatal(err)
	}
	rec := recorded{id: wal.Identity{SystemID: system, Major: major, SegmentSize: wal.MinSegmentSize}, history: &history}
	// Along the newest timeline: where both are there, the child's.
	byNo := make(map[string]string)
	for _, name := range r.Segments {
		byNo[name[8:]] = max(byNo[name[8:]], name)
	}
	for _, no := range slices.Sorted(maps.Keys(byNo)) {
		content, err := r.Segment(byNo[no])
		if err != nil {
			t.Fatal(err)
		}
		rec.names = append(rec.names, byNo[no])
		rec.content = append(rec.content, content)
	}
	return rec
}

// scan scans the stretch, each segment with what the one before left behind,
// and checks that this changes no fact.
func (r recorded) scan(t *testing.T) []wal.Facts {
	t.Helper()
	var all []wal.Facts
	var carry *wal.Carry
	for i, name := range r.names {
		seg, err := wal.ParseSegment(name, r.id.SegmentSize)
		if err != nil {
			t.Fatal(err)
		}
		o := wal.ScanOptions{Identity: r.id, Prev: carry}
		if seg.Timeline == 2 {
			o.History = r.history
		}
		facts, end, next, _ := scanCarry(t, seg, r.content[i], o)
		if end.Kind == wal.EndInvalid {
			t.Fatalf("%s: valid WAL ends at %v: %v", name, end.LSN, end.Cause)
		}
		alone, _, _ := scan(t, seg, r.content[i], wal.ScanOptions{Identity: r.id})
		if a, b := encode(t, alone), encode(t, facts); !bytes.Equal(a, b) {
			t.Errorf("%s: alone its facts are %s\nafter its neighbour %s", name, a, b)
		}
		all, carry = append(all, facts), next
	}
	return all
}

// merge puts the facts of a stretch together.
func merge(t *testing.T, all []wal.Facts, major int) wal.Facts {
	t.Helper()
	sum := wal.Facts{Records: make(map[wal.Rmgr]uint32)}
	for i := range all {
		var next *wal.Facts
		if i+1 < len(all) {
			next = &all[i+1]
		}
		absorb(&sum, complete(t, &all[i], next, major))
	}
	return sum
}

// complete is f with the record that crosses into the next segment, if there
// is one.
func complete(t *testing.T, f, next *wal.Facts, major int) wal.Facts {
	t.Helper()
	sum := wal.Facts{Records: make(map[wal.Rmgr]uint32)}
	absorb(&sum, *f)
	if next == nil {
		return sum
	}
	c, err := wal.Join(f, next, major)
	switch {
	case err != nil:
		t.Errorf("segments at %v and %v: %v", f.FirstLSN, next.FirstLSN, err)
	case c != nil && c.State == wal.CrossingVoid:
		sum.Records[wal.Rmgr(f.Open.Head[17])]--
	case c != nil:
		absorb(&sum, c.Adds)
	}
	maps.DeleteFunc(sum.Records, func(_ wal.Rmgr, n uint32) bool { return n == 0 })
	return sum
}

func absorb(sum *wal.Facts, f wal.Facts) {
	for r, n := range f.Records {
		sum.Records[r] += n
	}
	if x, y := sum.Xacts, f.Xacts; x == nil {
		sum.Xacts = y
	} else if y != nil {
		sum.Xacts = &wal.XactRange{
			LowestTime: min(x.LowestTime, y.LowestTime), HighestTime: max(x.HighestTime, y.HighestTime),
			LowestXID: min(x.LowestXID, y.LowestXID), HighestXID: max(x.HighestXID, y.HighestXID),
		}
	}
	sum.RestorePoints = append(sum.RestorePoints, f.RestorePoints...)
	sum.Checkpoints = append(sum.Checkpoints, f.Checkpoints...)
	sum.Recoveries = append(sum.Recoveries, f.Recoveries...)
	sum.BackupEnds = append(sum.BackupEnds, f.BackupEnds...)
	sum.Parameters = append(sum.Parameters, f.Parameters...)
	sum.Tablespaces = append(sum.Tablespaces, f.Tablespaces...)
	sum.Overwrites = append(sum.Overwrites, f.Overwrites...)
	sum.Overflow = append(sum.Overflow, f.Overflow...)
}

// TestRecordingsAgreeWithWalinspect holds the facts of recorded WAL of several
// PostgreSQL versions against what their servers said about every record.
func TestRecordingsAgreeWithWalinspect(t *testing.T) {
	all, err := fixtures.Recordings()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		t.Run(r.Major, func(t *testing.T) {
			records, err := r.Records()
			if err != nil {
				t.Fatal(err)
			}
			rec := openRecording(t, r)
			sum := merge(t, rec.scan(t), rec.id.Major)
			if len(sum.Overflow) > 0 {
				t.Errorf("%v left out", sum.Overflow)
			}
			compareRecords(t, sum, records)
		})
	}
}

func compareRecords(t *testing.T, sum wal.Facts, records []fixtures.Record) {
	want := make(map[wal.Rmgr]uint32)
	for _, rec := range records {
		r, err := wal.ParseRmgr(rec.Manager)
		if err != nil {
			t.Fatal(err)
		}
		want[r]++
	}
	want[wal.RmgrXLOG]++ // the switch that ends the recording
	if !maps.Equal(sum.Records, want) {
		t.Errorf("got records %v, want %v", sum.Records, want)
	}
	got := describe(sum)
	for _, kind := range []string{"RESTORE_POINT", "CHECKPOINT_ONLINE", "CHECKPOINT_SHUTDOWN", "END_OF_RECOVERY",
		"BACKUP_END", "PARAMETER_CHANGE", "CREATE", "OVERWRITE_CONTRECORD"} {
		var want []string
		for _, rec := range records {
			if rec.Type == kind && (rec.Manager == "XLOG" || rec.Manager == "Tablespace") {
				want = append(want, rec.Start+" "+notKept.ReplaceAllString(rec.Description, ""))
			}
		}
		if !slices.Equal(got[kind], want) {
			t.Errorf("%s: got\n%s\nwant\n%s", kind, strings.Join(got[kind], "\n"), strings.Join(want, "\n"))
		}
	}
	compareXacts(t, *sum.Xacts, records)
}

// notKept is what PostgreSQL says of a checkpoint and facts do not.
var notKept = regexp.MustCompile(`offset \d+; | in DB \d+|oldest/newest commit timestamp xid: \d+/\d+; `)

// describe writes facts as PostgreSQL's own description of records does, as
// far as facts hold them.
func describe(f wal.Facts) map[string][]string {
	m := make(map[string][]string)
	say := func(kind string, lsn wal.LSN, format string, args ...any) {
		m[kind] = append(m[kind], fmt.Sprintf("%v "+format, append([]any{lsn}, args...)...))
	}
	for _, p := range f.RestorePoints {
		say("RESTORE_POINT", p.LSN, "%s", p.Name)
	}
	for _, c := range f.Checkpoints {
		say("CHECKPOINT_"+strings.ToUpper(c.Kind), c.LSN, "redo %v; tli %d; prev tli %d; fpw %t%s; xid %d:%d; oid %d; multi %d; oldest xid %d; oldest multi %d; oldest running xid %d; %s",
			c.Redo, c.Timeline, c.PrevTimeline, c.FullPages, level(c.Level), c.NextXID>>32, uint32(c.NextXID),
			c.NextOID, c.NextMulti, c.OldestXID, c.OldestMulti, c.OldestActive, c.Kind)
	}
	for _, e := range f.Recoveries {
		say("END_OF_RECOVERY", e.LSN, "tli %d; prev tli %d; time %s%s", e.Timeline, e.PrevTimeline, pgTime(e.Time), level(e.Level))
	}
	for _, e := range f.BackupEnds {
		say("BACKUP_END", e.LSN, "%v", e.Start)
	}
	for _, p := range f.Parameters {
		say("PARAMETER_CHANGE", p.LSN, "max_connections=%d max_worker_processes=%d max_wal_senders=%d max_prepared_xacts=%d max_locks_per_xact=%d wal_level=%v wal_log_hints=%s track_commit_timestamp=%s",
			p.MaxConnections, p.MaxWorkerProcesses, p.MaxWALSenders, p.MaxPreparedXacts, p.MaxLocksPerXact, p.Level, onOff(p.LogHints), onOff(p.TrackCommitTimestamp))
	}
	for _, s := range f.Tablespaces {
		say("CREATE", s.LSN, "%d \"%s\"", s.OID, s.Path)
	}
	for _, o := range f.Overwrites {
		say("OVERWRITE_CONTRECORD", o.LSN, "lsn %v; time %s", o.Void, pgTime(o.Time))
	}
	return m
}

func level(l *wal.WALLevel) string {
	if l == nil {
		return ""
	}
	return "; wal_level " + l.String()
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// pgTime is a time as PostgreSQL prints it in UTC.
func pgTime(t wal.Timestamp) string {
	s := t.Time().Format("2006-01-02 15:04:05.999999")
	return s + "+00"
}

var xactTime = regexp.MustCompile(`^(\d+: )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)`)

// compareXacts holds the range of transactions against the descriptions of
// the records that end one.
func compareXacts(t *testing.T, got wal.XactRange, records []fixtures.Record) {
	var times []string
	var xids []uint32
	for _, rec := range records {
		switch rec.Type {
		case "COMMIT", "ABORT", "COMMIT_PREPARED", "ABORT_PREPARED":
		default:
			continue
		}
		m := xactTime.FindStringSubmatch(rec.Description)
		if m == nil {
			t.Fatalf("no time in %q", rec.Description)
		}
		times = append(times, m[2]+"+00")
		xid := rec.XID
		if m[1] != "" {
			n, err := strconv.ParseUint(strings.TrimSuffix(m[1], ": "), 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			xid = uint32(n)
		}
		xids = append(xids, xid)
	}
	if pgTime(got.LowestTime) != slices.Min(times) || pgTime(got.HighestTime) != slices.Max(times) {
		t.Errorf("transactions ended from %s to %s, want %s to %s",
			pgTime(got.LowestTime), pgTime(got.HighestTime), slices.Min(times), slices.Max(times))
	}
	if got.LowestXID != slices.Min(xids) || got.HighestXID != slices.Max(xids) {
		t.Errorf("transactions %d to %d, want %d to %d", got.LowestXID, got.HighestXID, slices.Min(xids), slices.Max(xids))
	}
}
