// Command noskip reads the output of "go test -json" and prints what "go test"
// would have printed. It fails if a test failed, and if one was skipped: a
// skipped test proves nothing and looks like one that passed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "noskip:", err)
		os.Exit(1)
	}
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string // empty: the package as a whole
	Output  string
}

// report gathers what is not known to be worth printing yet.
type report struct {
	out     io.Writer
	tests   map[string]map[string][]string // package -> test -> lines, of tests under way
	order   map[string][]string            // package -> tests in the order they began
	lines   map[string][]string            // package -> its own lines
	passed  int
	skipped []string
	failed  bool
}

func run(in io.Reader, out io.Writer) error {
	r := &report{out, map[string]map[string][]string{}, map[string][]string{}, map[string][]string{}, 0, nil, false}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if errors.Is(err, io.EOF) {
			return r.verdict()
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		r.print(line)
		return
	}
	switch {
	case e.Action == "build-output":
		r.print(e.Output)
	case e.Action == "output" && e.Test == "":
		r.lines[e.Package] = append(r.lines[e.Package], e.Output)
	case e.Action == "output":
		r.testOutput(e)
	case e.Test != "":
		r.testEnd(e)
	default:
		r.packageEnd(e)
	}
}

func (r *report) testOutput(e event) {
	tests := r.tests[e.Package]
	if tests == nil {
		tests = map[string][]string{}
		r.tests[e.Package] = tests
	}
	if _, known := tests[e.Test]; !known {
		r.order[e.Package] = append(r.order[e.Package], e.Test)
	}
	if !strings.HasPrefix(e.Output, "=== ") {
		tests[e.Test] = append(tests[e.Test], e.Output)
	}
}

func (r *report) testEnd(e event) {
	switch e.Action {
	case "pass":
		r.passed++
		delete(r.tests[e.Package], e.Test)
	case "skip":
		r.skipped = append(r.skipped, e.Package+" "+e.Test)
	case "fail":
		r.failed = true
	}
}

// packageEnd prints what is left of a package: the tests that did not pass,
// those that a crash cut short among them, and go test's closing lines.
func (r *report) packageEnd(e event) {
	if e.Action != "pass" && e.Action != "fail" && e.Action != "skip" {
		return
	}
	r.failed = r.failed || e.Action == "fail"
	for _, name := range r.order[e.Package] {
		for _, line := range r.tests[e.Package][name] {
			r.print(line)
		}
	}
	for _, line := range r.lines[e.Package] {
		if e.Action == "fail" || line != "PASS\n" {
			r.print(line)
		}
	}
}

func (r *report) print(s string) { _, _ = io.WriteString(r.out, s) }

func (r *report) verdict() error {
	r.print(fmt.Sprintf("%d tests passed, %d skipped\n", r.passed, len(r.skipped)))
	switch {
	case r.failed:
		return errors.New("tests failed")
	case len(r.skipped) > 0:
		slices.Sort(r.skipped)
		return fmt.Errorf("skipped, which counts as failed:\n  %s", strings.Join(r.skipped, "\n  "))
	case r.passed == 0:
		return errors.New("no test ran")
	}
	return nil
}
