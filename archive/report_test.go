package archive_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"walarchive/archive"
)

var updateGolden = flag.Bool("update", false, "write the golden reports anew")

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// sampleReport has one of everything.
func sampleReport() *archive.Report {
	begin := time.Date(2026, 3, 1, 4, 5, 6, 0, time.UTC)
	return &archive.Report{
		Level: archive.LevelFull, Sample: 7, Archive: "0123", Started: begin, Finished: begin.Add(90*time.Second + 123456*time.Microsecond),
		Objects: 12, Bytes: 12 << 20,
		Timelines: []archive.Checked{
			{Incarnation: 1, SystemID: 7654321987654321987, Timeline: 1, First: seg(1, 3), Last: seg(1, 9), Segments: 5, Partials: 1, Gaps: []archive.Gap{
				{Incarnation: 1, First: seg(1, 4), Last: seg(1, 4), Segments: 1, Accepted: "under quarantine"},
				{Incarnation: 1, First: seg(1, 6), Last: seg(1, 6), Segments: 1},
			}},
			{Incarnation: 1, SystemID: 7654321987654321987, Timeline: 2},
		},
		Problems: []archive.Problem{
			{Kind: archive.ProblemGap, Object: seg(1, 6), Detail: "missing on timeline 1: 1"},
			{Kind: archive.ProblemDamaged, Object: "wal/x", Detail: `the stored object is damaged: <&"'` + "\x01>"},
		},
		Unchecked: []string{"wal/y: connection refused"},
		Notes:     []string{"under quarantine: quarantine/z"},
	}
}

func TestReportForms(t *testing.T) {
	forms := map[string]func(r *archive.Report, w io.Writer) error{
		"report.txt": (*archive.Report).Text, "report.json": (*archive.Report).JSON, "report.xml": (*archive.Report).JUnit,
	}
	for name, form := range forms {
		var b bytes.Buffer
		if err := form(sampleReport(), &b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		if err := form(sampleReport(), brokenWriter{}); !errors.Is(err, errBrokenWriter) {
			t.Errorf("%s: got %v from a broken writer", name, err)
		}
	}
}

var errBrokenWriter = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBrokenWriter }

func TestReportJSONReadsBack(t *testing.T) {
	var b bytes.Buffer
	if err := sampleReport().JSON(&b); err != nil {
		t.Fatal(err)
	}
	var got archive.Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := sampleReport(); !reflect.DeepEqual(&got, want) {
		t.Errorf("got %+v, want %+v", &got, want)
	}
}

// The JUnit form as a CI server reads it: its counts are those of its cases.
func TestReportJUnitIsConsistent(t *testing.T) {
	var b bytes.Buffer
	if err := sampleReport().JUnit(&b); err != nil {
		t.Fatal(err)
	}
	var suite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Cases    []struct {
			Failure []string `xml:"failure"`
			Error   []string `xml:"error"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(b.Bytes(), &suite); err != nil {
		t.Fatal(err)
	}
	failures, failed := 0, 0
	for _, c := range suite.Cases {
		failures += len(c.Failure)
		failed += len(c.Error)
	}
	if suite.Tests != len(suite.Cases) || suite.Failures != failures || suite.Errors != failed || failures != 2 || failed != 1 {
		t.Errorf("got %+v", suite)
	}
}

// The last line says what to think of it.
func TestReportVerdict(t *testing.T) {
	tests := []struct {
		name  string
		r     archive.Report
		want  string
		sound bool
	}{
		{"sound", archive.Report{}, ": sound\n", true},
		{"problems", archive.Report{Problems: make([]archive.Problem, 2), Unchecked: []string{"x"}}, ": 2 problems\n", false},
		{"unchecked", archive.Report{Unchecked: []string{"x"}}, ": 1 objects could not be checked\n", true},
	}
	for _, tt := range tests {
		var b strings.Builder
		if err := tt.r.Text(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), tt.want) || tt.r.Sound() != tt.sound {
			t.Errorf("%s: sound %t, got\n%s", tt.name, tt.r.Sound(), &b)
		}
	}
}

func TestLevels(t *testing.T) {
	for _, l := range []archive.Level{archive.LevelNames, archive.LevelFacts, archive.LevelFull} {
		if got, err := archive.ParseLevel(l.String()); err != nil || got != l {
			t.Errorf("%v: got %v, %v", l, got, err)
		}
	}
	for _, bad := range []string{"", "unknown", "Full"} {
		if got, err := archive.ParseLevel(bad); err == nil {
			t.Errorf("%q: got %v", bad, got)
		}
	}
}
