//go:build integration

package wal_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

// waldump has a record that pg_waldump printed.
type waldump struct {
	rmgr      wal.Rmgr
	xid       uint32
	lsn, prev wal.LSN
	desc      string
}

var waldumpLine = regexp.MustCompile(`^rmgr: (\S+) +len \(rec/tot\): +\d+/ *\d+, tx: +(\d+), lsn: (\S+), prev (\S+), desc: (.*)`)

func readWaldump(t *testing.T, as *syscall.SysProcAttr, bin, dir, first, last string) []waldump {
	t.Helper()
	out := run(t, as, "/usr/bin/env", "TZ=UTC", filepath.Join(bin, "pg_waldump"), "-p", dir, first, last)
	var records []waldump
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 64<<20) // a commit names all its subtransactions
	for lines.Scan() {
		m := waldumpLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		r, err := wal.ParseRmgr(m[1])
		if err != nil {
			t.Fatal(err)
		}
		xid, _ := strconv.ParseUint(m[2], 10, 32)
		records = append(records, waldump{r, uint32(xid), lsn(t, m[3]), lsn(t, m[4]), m[5]})
	}
	if err := lines.Err(); err != nil || len(records) == 0 {
		t.Fatalf("%d records from pg_waldump, %v", len(records), err)
	}
	return records
}

// TestScanAgainstWaldump holds the facts of WAL fresh from every installed
// PostgreSQL against its own pg_waldump, and against what SQL said.
func TestScanAgainstWaldump(t *testing.T) {
	bindirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bindirs) == 0 {
		t.Fatalf("no PostgreSQL in /usr/lib/postgresql (%v)", err)
	}
	for _, bin := range bindirs {
		for _, size := range []int{1, 16} {
			t.Run(fmt.Sprintf("%s/%dMiB", filepath.Base(filepath.Dir(bin)), size), func(t *testing.T) {
				s := startServer(t, bin, size)
				points := s.traffic(t)
				rec := s.load(t, s.segments(t), int64(size)<<20)
				facts := rec.scan(t)
				dir := filepath.Join(s.data, "pg_wal")
				records := readWaldump(t, s.as, bin, dir, rec.names[0], rec.names[len(rec.names)-1])
				compareSegments(t, facts, records, s.major)
				sum := merge(t, facts, s.major)
				compareStats(t, sum, s, rec)
				comparePoints(t, sum, points)
				compareCommits(t, s, facts)
			})
		}
	}
}

// load reads segments of the server.
func (s *server) load(t *testing.T, names []string, size int64) recorded {
	t.Helper()
	rec := recorded{names: names}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(s.data, "pg_wal", name))
		if err != nil {
			t.Fatal(err)
		}
		rec.content = append(rec.content, b)
	}
	id, err := wal.Identify(rec.content[0])
	if err != nil || id.Major != s.major || id.SegmentSize != size {
		t.Fatalf("identity %+v, %v", id, err)
	}
	if system := s.sql(t, "-c", "SELECT system_identifier FROM pg_control_system()"); system != fmt.Sprint(id.SystemID) {
		t.Errorf("system identifier %d, want %s", id.SystemID, system)
	}
	rec.id = id
	return rec
}

// compareSegments holds each segment's facts, with what crosses into the
// next, against the records that pg_waldump shows there.
func compareSegments(t *testing.T, all []wal.Facts, records []waldump, major int) {
	t.Helper()
	for i, f := range all {
		in := func(r waldump) bool { return r.lsn >= f.FirstLSN && r.lsn <= f.LastLSN }
		start := slices.IndexFunc(records, in)
		if start < 0 {
			if f.FirstRecord != 0 {
				t.Errorf("%v: first record %v, want none", f.FirstLSN, f.FirstRecord)
			}
			continue
		}
		n := slices.IndexFunc(records[start:], func(r waldump) bool { return !in(r) })
		if n < 0 {
			n = len(records) - start
		}
		mine := records[start : start+n]
		var next *wal.Facts
		if i+1 < len(all) {
			next = &all[i+1]
		}
		if f.Open != nil && next.FirstRecord == 0 {
			continue // longer than two segments: TestJoinOverThreeSegments
		}
		sum := complete(t, &f, next, major)
		compareSegment(t, f, sum, mine)
	}
}

func compareSegment(t *testing.T, f, sum wal.Facts, want []waldump) {
	t.Helper()
	said := wal.Facts{Records: make(map[wal.Rmgr]uint32)}
	for _, r := range want {
		absorb(&said, wal.Facts{Records: map[wal.Rmgr]uint32{r.rmgr: 1}, Xacts: r.xact(t)})
	}
	if !maps.Equal(sum.Records, said.Records) {
		t.Errorf("%v: got records %v, want %v", f.FirstLSN, sum.Records, said.Records)
	}
	first, last := want[0], want[len(want)-1]
	if f.FirstRecord != first.lsn || f.FirstPrev != 0 && f.FirstPrev != first.prev || f.Open == nil && f.LastRecord != last.lsn {
		t.Errorf("%v: records from %v (%v) to %v, want %v (%v) to %v",
			f.FirstLSN, f.FirstRecord, f.FirstPrev, f.LastRecord, first.lsn, first.prev, last.lsn)
	}
	if !reflect.DeepEqual(sum.Xacts, said.Xacts) {
		t.Errorf("%v: got transactions %+v, want %+v", f.FirstLSN, sum.Xacts, said.Xacts)
	}
}

var waldumpXact = regexp.MustCompile(`^(COMMIT|ABORT)(_PREPARED)? (?:(\d+): )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC`)

// xact is what a record says about the end of a transaction.
func (r waldump) xact(t *testing.T) *wal.XactRange {
	t.Helper()
	m := waldumpXact.FindStringSubmatch(r.desc)
	if m == nil {
		return nil
	}
	at, err := wal.ParseTimestamp(strings.Replace(m[4], " ", "T", 1) + "Z")
	if err != nil {
		t.Fatal(err)
	}
	xid := r.xid
	if m[3] != "" {
		n, _ := strconv.ParseUint(m[3], 10, 32)
		xid = uint32(n)
	}
	return &wal.XactRange{LowestTime: at, HighestTime: at, LowestXID: xid, HighestXID: xid}
}

// compareStats holds the counts against pg_waldump --stats=record.
func compareStats(t *testing.T, sum wal.Facts, s *server, rec recorded) {
	t.Helper()
	out := run(t, s.as, filepath.Join(s.bin, "pg_waldump"), "--stats=record", "-p", filepath.Join(s.data, "pg_wal"),
		rec.names[0], rec.names[len(rec.names)-1])
	want := make(map[wal.Rmgr]uint32)
	for _, m := range regexp.MustCompile(`(?m)^(\w+)/\S+ +(\d+) \(`).FindAllStringSubmatch(out, -1) {
		r, err := wal.ParseRmgr(m[1])
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.ParseUint(m[2], 10, 32)
		want[r] += uint32(n)
	}
	if !maps.Equal(sum.Records, want) {
		t.Errorf("got records %v, want %v", sum.Records, want)
	}
	if len(want) < 15 {
		t.Errorf("the traffic was of %d resource managers only", len(want))
	}
	if len(sum.Tablespaces) != 1 || sum.Tablespaces[0].Path != "" {
		t.Errorf("got tablespaces %+v", sum.Tablespaces)
	}
}

// comparePoints holds restore points against the LSNs that SQL returned: the
// ends of their records.
func comparePoints(t *testing.T, sum wal.Facts, want map[string]wal.LSN) {
	t.Helper()
	got := make(map[string]wal.LSN)
	for _, p := range sum.RestorePoints {
		got[string(p.Name)] = p.LSN
	}
	for name, end := range want {
		if at, ok := got[name]; !ok || at >= end || at+200 < end {
			t.Errorf("restore point %q at %v, want it to end at %v", name, at, end)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got restore points %v, want %v", got, want)
	}
}

// compareCommits holds each segment's range of times and transactions
// against the commit times that the server still knows.
func compareCommits(t *testing.T, s *server, all []wal.Facts) {
	t.Helper()
	last := s.sql(t, "-c", "SELECT xid, extract(epoch FROM timestamp) * 1000000 FROM pg_last_committed_xact()")
	x, epoch, _ := strings.Cut(last, "|")
	xid, err := strconv.ParseUint(x, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	usec, err := strconv.ParseFloat(epoch, 64)
	if err != nil {
		t.Fatal(err)
	}
	at := wal.Timestamp(int64(usec) - 946684800*1e6)
	for _, f := range all {
		if r := f.Xacts; r != nil && r.HighestXID == uint32(xid) && r.LowestTime <= at && at <= r.HighestTime {
			return
		}
	}
	t.Errorf("no segment has the last commit, of transaction %d at %v, as its highest", xid, at)
}

// TestWaltestAgainstWaldump: what waltest makes is WAL to PostgreSQL too.
func TestWaltestAgainstWaldump(t *testing.T) {
	bindirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bindirs) == 0 {
		t.Fatalf("no PostgreSQL in /usr/lib/postgresql (%v)", err)
	}
	for _, bin := range bindirs {
		major, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
		if err != nil {
			t.Fatal(err)
		}
		id := wal.Identity{SystemID: 7, Major: major, SegmentSize: wal.MinSegmentSize}
		w := waltest.New(id, 1, seg3.Start())
		w.Checkpoint(0, 735)
		w.Commit(waltest.Xact{XID: 735, Time: noon, Database: true, Subxacts: 3, Relations: 1, Stats: 2, Invals: 4, Origin: true})
		w.Abort(waltest.Xact{XID: 736, Time: noon + 1, Prepared: true, Subxacts: 2})
		w.RestorePoint("here", noon)
		w.Torn(30_000, 2)
		w.BackupEnd(seg3.Start() + 40)
		w.ParameterChange(wal.ParameterChange{MaxConnections: 7, Level: wal.LevelLogical})
		w.Tablespace(16400, "/srv/x")
		w.Fill(8)
		w.Skip(wal.MinSegmentSize + 5000)
		w.Fill(16)
		w.Switch()
		w.Skip(40)
		w.Switch()

		dir, as := serverHome(t)
		rec := recorded{id: id}
		for no := seg3.No; no < 8; no++ {
			rec.names = append(rec.names, w.Name(no).String())
			rec.content = append(rec.content, w.Segment(no))
			if err := os.WriteFile(filepath.Join(dir, w.Name(no).String()), w.Segment(no), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		records := readWaldump(t, as, bin, dir, rec.names[0], rec.names[len(rec.names)-1])
		compareSegments(t, rec.scan(t), records, major)
		for _, want := range []string{
			"SWITCH ", "RESTORE_POINT here", "OVERWRITE_CONTRECORD lsn", "CREATE 16400 \"/srv/x\"", "max_connections=7",
			"subxacts: 0 0 0;", "COMMIT 2026-07-01 12:00:00.123456 UTC", "ABORT_PREPARED 736: 2026-07-01 12:00:00.123457 UTC",
		} {
			if !slices.ContainsFunc(records, func(r waldump) bool { return strings.Contains(r.desc+" ", want) }) {
				t.Errorf("PostgreSQL %d: no record says %q: %+v", major, want, records)
			}
		}
	}
}
