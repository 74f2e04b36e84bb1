package archive

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"walarchive/archive/wal"
)

// ProblemKind is what is wrong.
type ProblemKind string

const (
	ProblemGap       ProblemKind = "gap"       // segments that a recovery needs are missing
	ProblemHistory   ProblemKind = "history"   // a timeline without its history file
	ProblemTimelines ProblemKind = "timelines" // history files that contradict each other
	ProblemDamaged   ProblemKind = "damaged"   // an object that does not authenticate, or is not what it says
	ProblemBroken    ProblemKind = "broken"    // neighbouring segments that do not continue each other
	ProblemKeys      ProblemKind = "keys"      // the key chain lost entries, or a principal key of preserved segments is gone
	ProblemEvents    ProblemKind = "events"    // the event log lost entries, or has others in their place
	ProblemUnknown   ProblemKind = "unknown"   // an object that walarchive did not put there
	ProblemMirror    ProblemKind = "mirror"    // a store that lacks an object of another, or has a different one

	ProblemUnreadable ProblemKind = "unreadable" // of Info: an object that could not be read now; Verify has Unchecked
)

// Problem is one thing that stands in the way of a recovery.
type Problem struct {
	Kind   ProblemKind `json:"kind"`
	Object string      `json:"object"` // or the gap
	Detail string      `json:"detail"`
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Kind, p.Object, p.Detail) }

// Checked is a timeline as Verify saw it.
type Checked struct {
	Incarnation int          `json:"incarnation"`
	SystemID    uint64       `json:"system_id,string"`
	Timeline    wal.Timeline `json:"timeline"`
	First       string       `json:"first,omitempty"`
	Last        string       `json:"last,omitempty"`
	Segments    int          `json:"segments"`
	Partials    int          `json:"partials"`
	NotProven   int          `json:"not_proven,omitempty"` // preserved segments whose content this run did not decrypt
	Gaps        []Gap        `json:"gaps,omitempty"`
}

// Report is the outcome of Verify.
type Report struct {
	Level     Level     `json:"level"`
	Sample    int       `json:"sample,omitempty"` // only every nth run of segments was looked into
	Started   time.Time `json:"started"`
	Finished  time.Time `json:"finished"`
	Archive   string    `json:"archive"`
	Objects   int       `json:"objects"`      // looked into
	Bytes     int64     `json:"bytes,string"` // of plaintext, read and authenticated
	Timelines []Checked `json:"timelines"`
	Problems  []Problem `json:"problems"`
	Unchecked []string  `json:"unchecked,omitempty"` // what could not be looked into, and why
	Notes     []string  `json:"notes,omitempty"`     // known and accepted, but not forgotten
}

// Sound reports whether no problem was found. What could not be checked is in
// Unchecked.
func (r *Report) Sound() bool { return len(r.Problems) == 0 }

// sort puts in order what workers found in any.
func (r *Report) sort() {
	sortProblems(r.Problems)
	slices.Sort(r.Unchecked)
	slices.Sort(r.Notes)
}

func sortProblems(problems []Problem) {
	slices.SortFunc(problems, func(p, q Problem) int {
		return cmp.Or(strings.Compare(p.Object, q.Object), strings.Compare(string(p.Kind), string(q.Kind)), strings.Compare(p.Detail, q.Detail))
	})
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	p := &printer{w: w}
	for _, t := range r.Timelines {
		p.printf("timeline %v (system %d): %d segments", t.Timeline, t.SystemID, t.Segments)
		if t.Segments > 0 {
			p.printf(", %s to %s", t.First, t.Last)
		}
		if t.Partials > 0 {
			p.printf(", %d partial", t.Partials)
		}
		if t.NotProven > 0 {
			p.printf(", %d not proven", t.NotProven)
		}
		p.printf("\n")
	}
	for _, n := range r.Notes {
		p.printf("note: %s\n", n)
	}
	for _, u := range r.Unchecked {
		p.printf("NOT CHECKED: %s\n", u)
	}
	for _, b := range r.Problems {
		p.printf("PROBLEM: %v\n", b)
	}
	verdict := "sound"
	switch {
	case !r.Sound():
		verdict = fmt.Sprintf("%d problems", len(r.Problems))
	case len(r.Unchecked) > 0:
		verdict = fmt.Sprintf("%d objects could not be checked", len(r.Unchecked))
	}
	if r.Sample > 1 {
		p.printf("a sample: one of %d runs of segments\n", r.Sample)
	}
	p.printf("level %v, %d objects, %s: %s\n", r.Level, r.Objects, r.Finished.Sub(r.Started).Round(time.Millisecond), verdict)
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// JUnit writes the report as a test suite: a case for each timeline, and one
// for each problem. What could not be checked is an error.
func (r *Report) JUnit(w io.Writer) error {
	suite := junitSuite{Name: "walarchive verify --level " + r.Level.String(), Time: r.Finished.Sub(r.Started).Seconds()}
	for _, t := range r.Timelines {
		suite.add(junitCase{Class: "timeline", Name: fmt.Sprintf("%d/%v", t.Incarnation, t.Timeline)})
	}
	for _, p := range r.Problems {
		suite.add(junitCase{Class: string(p.Kind), Name: p.Object, Failure: &junitText{p.Detail, p.String()}})
	}
	for _, u := range r.Unchecked {
		suite.add(junitCase{Class: "unchecked", Name: u, Error: &junitText{u, u}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     float64     `xml:"time,attr"` // seconds
	Cases    []junitCase `xml:"testcase"`
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Error != nil {
		s.Errors++
	}
	s.Cases = append(s.Cases, c)
}

type junitCase struct {
	Class   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Failure *junitText `xml:"failure,omitempty"`
	Error   *junitText `xml:"error,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}
