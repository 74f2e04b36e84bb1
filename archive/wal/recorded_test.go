package wal_test

import (
	"bytes"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/fixtures"
)

// dump is what pg_waldump said about a recorded segment.
type dump struct {
	first, last, prev wal.LSN
	records           map[string]int // by resource manager; an open record at the end not counted
}

var (
	dumpSegment = regexp.MustCompile(`^== (\S+) size`)
	dumpRecord  = regexp.MustCompile(`^(first|last): .* lsn: (\w+/\w+), prev (\w+/\w+)`)
	dumpStats   = regexp.MustCompile(`^(\w+) (\d+) \(`)
)

// readDumps reads a scenario's waldump.txt, by server and segment.
func readDumps(t *testing.T, sc fixtures.Scenario) map[string]*dump {
	b, err := sc.Read("waldump.txt")
	if err != nil {
		t.Fatal(err)
	}
	dumps, server := make(map[string]*dump), "main"
	var d *dump
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			server = strings.TrimSpace(name)
		}
		if m := dumpSegment.FindStringSubmatch(line); m != nil {
			d = &dump{records: make(map[string]int)}
			dumps[server+"/"+m[1]] = d
		}
		if m := dumpRecord.FindStringSubmatch(line); m != nil && m[1] == "first" {
			d.first, d.prev = lsn(t, m[2]), lsn(t, m[3])
		} else if m != nil {
			d.last = lsn(t, m[2])
		}
		if m := dumpStats.FindStringSubmatch(line); m != nil {
			d.records[m[1]], _ = strconv.Atoi(m[2])
		}
	}
	return dumps
}

func lsn(t *testing.T, s string) wal.LSN {
	t.Helper()
	l, err := wal.ParseLSN(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// counts are the facts' records as pg_waldump counts them, without the one
// that is open at the end.
func counts(f wal.Facts) map[string]int {
	m := make(map[string]int)
	for r, n := range f.Records {
		m[r.String()] = int(n)
	}
	if f.Open != nil && len(f.Open.Head) >= wal.RecordHeaderSize {
		if r := wal.Rmgr(f.Open.Head[17]).String(); m[r] == 1 {
			delete(m, r)
		} else {
			m[r]--
		}
	}
	return m
}

func TestRecordedSegmentsAgreeWithWaldump(t *testing.T) {
	all, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	for _, sc := range all {
		dumps := readDumps(t, sc)
		for _, g := range sc.Segments {
			if !g.HasPlain() || g.Kind != "archived" {
				continue
			}
			n++
			t.Run(sc.Name+"/"+g.Server+"/"+g.Name, func(t *testing.T) {
				d := dumps[g.Server+"/"+g.Name]
				if d == nil {
					t.Fatal("pg_waldump was not asked")
				}
				compareDump(t, sc, g, d)
			})
		}
	}
	if n < 20 {
		t.Errorf("%d segments compared, want at least 20", n)
	}
}

func compareDump(t *testing.T, sc fixtures.Scenario, g fixtures.Segment, d *dump) {
	plain, err := g.Plain()
	if err != nil {
		t.Fatal(err)
	}
	seg, err := wal.ParseSegment(g.Name, g.Size)
	if err != nil {
		t.Fatal(err)
	}
	id := wal.Identity{SystemID: sc.SystemID, Major: 17, SegmentSize: g.Size}
	if got, err := wal.Identify(plain); err != nil || got != id {
		t.Errorf("got identity %+v (%v), want %+v", got, err, id)
	}
	facts, end, after := scan(t, seg, plain, wal.ScanOptions{Identity: id})
	if end.Kind == wal.EndInvalid {
		t.Errorf("valid WAL ends at %v: %v", end.LSN, end.Cause)
	}
	if !bytes.Equal(after, plain) {
		t.Error("bytes were changed that the server had left zero")
	}
	encode(t, facts)
	last := facts.LastRecord
	if facts.Open != nil {
		last = d.last // the open record is the last one here, and not pg_waldump's
	}
	if facts.FirstRecord != d.first || last != d.last || facts.FirstPrev != d.prev {
		t.Errorf("records from %v (prev %v) to %v, want %v (%v) to %v",
			facts.FirstRecord, facts.FirstPrev, last, d.first, d.prev, d.last)
	}
	delete(d.records, "Total")
	if got := counts(facts); !maps.Equal(got, d.records) {
		t.Errorf("got records %v, want %v", got, d.records)
	}
}
