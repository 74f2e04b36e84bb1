package archive_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt/tde"
	"walarchive/fixtures"
)

var update = flag.Bool("update-facts", false, "write the facts of the recorded segments anew; version 1 must not change once released")

// fixed are options under which the same push gives the same facts, but for
// what belongs to the archive's keys.
var fixed = archive.Options{
	Host: "db1.example",
	Now:  func() time.Time { return time.Date(2026, 11, 22, 1, 2, 3, 456789000, time.UTC) },
}

// The JSON of facts is part of a format that does not change. These are the
// facts of recorded files; a difference here is a new version of the format.
func TestFactsAreFrozen(t *testing.T) {
	for _, c := range []struct {
		scenario, state, file string
		mode                  archive.Mode
		golden                string
	}{
		{"A-plain", "", "000000010000000000000008", archive.Reseal, "facts-A-plain.json"},
		{"D-toggle", "5-final-on", "00000001000000000000000A", archive.Reseal, "facts-D-toggle.json"},
		{"F-timeline", "standby-3-final", "00000001000000000000000C.partial", archive.Reseal, "facts-F-timeline.json"},
		{"D-toggle", "5-final-on", "00000001000000000000000A", archive.Preserve, "facts-D-toggle-preserved.json"},
		{"F-timeline", "standby-3-final", "00000001000000000000000C.partial", archive.Preserve, "facts-F-timeline-preserved.json"},
	} {
		t.Run(c.golden, func(t *testing.T) {
			got := recordedFacts(t, c.scenario, c.state, c.file, c.mode)
			golden := filepath.Join("testdata", "push", c.golden)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got facts\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// leftOut stands for a digest that is another one each time.
var leftOut = regexp.MustCompile(`\(of the newest .* entry\)`)

// eventDigest is that of an entry of the event log, which names a temporary
// directory.
var eventDigest = regexp.MustCompile(`("events":\{"n":1,"digest":")[0-9a-f]{64}`)

// recordedFacts are the facts of a recorded file, laid out for people, with the
// digests of the newest entries of key chain and event log left out.
func recordedFacts(t *testing.T, scenario, state, file string, mode archive.Mode) []byte {
	t.Helper()
	host, _ := recordedHost(t, scenario, state)
	s, err := fixtures.Open(scenario)
	if err != nil {
		t.Fatal(err)
	}
	var path string
	for _, seg := range s.Segments {
		if seg.Name == file && seg.HasRaw() {
			if path, err = host.PutSegment(seg); err != nil {
				t.Fatal(err)
			}
		}
	}
	o := fixed
	o.TDE, o.Mode = fetchFrom(host.Keyrings), mode
	d := dataDir(t, host.PGData)
	a := initArchive(t, newBucket(t), newRing(t), d, o)
	kind := archive.KindSegment
	if strings.HasSuffix(file, ".partial") {
		kind = archive.KindPartial
	}
	text, err := a.SealedFacts(t.Context(), kind, mustPush(t, a, d, path).Object)
	if err != nil {
		t.Fatal(err)
	}
	digest := a.ChainDigest()
	text = eventDigest.ReplaceAll(text, []byte("${1}(of the newest event-log entry)"))
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.ReplaceAll(text, []byte(digest), []byte("(of the newest key-chain entry)")), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// A segment that fills every list of its facts, encrypted in as many pieces as
// a key file can name, still fits.
func TestFactsAreBounded(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	long := strings.Repeat("\x01", 60)
	for i := range 1500 {
		h.RestorePoint(long, wal.Timestamp(i))
	}
	h.Fill(0)
	_, facts, err := a.Unseal(t.Context(), archive.KindSegment, mustPush(t, a, h.dir, h.putSegment(3)).Object)
	if err != nil {
		t.Fatal(err)
	}
	if !facts.WAL.Incomplete("restore_points") {
		t.Error("the facts have room for all restore points: this proves nothing")
	}
	source := tde.Source{Flavor: tde.Percona, Version: 2, Principal: strings.Repeat("\x01", 255), Provider: strings.Repeat("\x01", 255), Type: "file"}
	for i := range 100000 {
		source.Spans = append(source.Spans, tde.Span{Entry: 600000 + i, Type: tde.Unencrypted, From: 1<<30 - 8, To: 1 << 30})
	}
	facts.LimitSource(source)
	if !facts.SourceCut || len(facts.Source.Spans) == 0 {
		t.Errorf("%d spans, cut %v", len(facts.Source.Spans), facts.SourceCut)
	}
	facts.Host = strings.Repeat("\x01", 255)
	walFacts := facts.WAL
	b, err := facts.Encode()
	if err != nil {
		t.Fatal(err)
	}
	facts.WAL, facts.TDE = nil, &tde.Excerpt{Flavor: tde.Fork, KeyFile: make([]byte, 320+201*104), Provider: make([]byte, 1160)}
	preserved, err := facts.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(preserved) > 64<<10 {
		t.Errorf("facts of a preserved segment can take %d bytes", len(preserved))
	}
	facts.WAL, facts.TDE = walFacts, nil
	if room := len(b) + wal.MaxFactsSize - size(t, facts.WAL); room > 64<<10 {
		t.Errorf("facts can take %d bytes, more than a sealed object has for them", room)
	}
}

func size(t *testing.T, v any) int {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// Facts that name something that is no text are read back all the same.
func TestFactsOfOddNames(t *testing.T) {
	b, err := (&archive.Facts{Source: &tde.Source{Flavor: tde.Percona, Principal: "key-\xff"}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if facts, err := archive.ParseFacts(b); err != nil || facts.Source.Principal != "key-\uFFFD" {
		t.Errorf("got %+v, %v", facts, err)
	}
}

// A host's name that is no text, or endless, does no harm.
func TestFactsOfAnOddHost(t *testing.T) {
	for name, host := range map[string]string{"not UTF-8": "db\xff1", "endless": strings.Repeat("x", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, small)
			a := initArchive(t, newBucket(t), newRing(t), h.dir, archive.Options{Host: host})
			mustPush(t, a, h.dir, h.full())
			wantContent(t, a, h.dir, "000000010000000000000003", h.Segment(3))
		})
	}
}

// Facts with a member that this version does not know come from a newer one.
func TestFactsAreReadStrictly(t *testing.T) {
	good, err := (&archive.Facts{Size: 1, Host: "db1"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.ParseFacts(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"new member":     {`{"size"`, `{"new":1,"size"`},
		"new inner one":  {`"chain":{`, `"chain":{"new":1,`},
		"other case":     {`"size"`, `"Size"`},
		"twice":          {`{"size":"1"`, `{"size":"1","size":"1"`},
		"missing":        {`"host":"db1",`, ``},
		"white space":    {`{"size"`, `{ "size"`},
		"something else": {`{`, `[`},
		"more behind":    {`}}`, `}}{}`},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(string(good), change[0], change[1], 1)
			if bad == string(good) {
				t.Fatalf("nothing changed in %s", good)
			}
			_, err := archive.ParseFacts([]byte(bad))
			wantRefusal(t, err, archive.ErrNewer, "facts")
			if name == "new member" {
				wantRefusal(t, err, archive.ErrNewer, `unknown field "new"`)
			}
		})
	}
}

// Facts that parse are those that encode writes.
func FuzzFacts(f *testing.F) {
	golden, err := filepath.Glob("testdata/push/facts-[AF]-*.json") // short ones
	if err != nil || len(golden) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, name := range golden {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := json.Compact(&b, leftOut.ReplaceAll(text, bytes.Repeat([]byte("0"), 64))); err != nil {
			f.Fatal(err)
		}
		if _, err := archive.ParseFacts(b.Bytes()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := archive.ParseFacts(b)
		if err != nil {
			return
		}
		again, err := facts.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("got %s, %v, want %s", again, err, b)
		}
	})
}
