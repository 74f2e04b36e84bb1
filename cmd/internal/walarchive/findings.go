package walarchive

import (
	"fmt"
	"io"
	"slices"

	"walarchive/cmd/internal/command"
)

// result is what came of one thing that check looks at.
type result string

const (
	resultOK        result = "ok"
	resultWarning   result = "warning"   // works, but somebody should know
	resultProblem   result = "problem"   // makes check fail
	resultUnchecked result = "unchecked" // says nothing either way
)

// finding is a line of check's report.
type finding struct {
	Check  string `json:"check"`
	Result result `json:"result"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // what to do
}

// findings are a report, in the order in which things were looked at.
type findings []finding

func (f *findings) ok(check, format string, args ...any) {
	*f = append(*f, finding{check, resultOK, fmt.Sprintf(format, args...), ""})
}

func (f *findings) warning(check, detail, hint string) {
	*f = append(*f, finding{check, resultWarning, detail, hint})
}

func (f *findings) problem(check, detail, hint string) {
	*f = append(*f, finding{check, resultProblem, detail, hint})
}

// failed is a problem that an error tells of.
func (f *findings) failed(check string, err error) {
	text, hint := command.Describe(err)
	f.problem(check, text, hint)
}

// unchecked says why a thing was not looked at, and how it can be.
func (f *findings) unchecked(check, why, how string) {
	*f = append(*f, finding{check, resultUnchecked, why, how})
}

// sound reports whether there is no problem.
func (f findings) sound() bool {
	return !slices.ContainsFunc(f, func(f finding) bool { return f.Result == resultProblem })
}

// text prints a report for people.
func (f findings) text(w io.Writer) error {
	words := map[result]string{resultOK: "ok", resultWarning: "WARNING", resultProblem: "PROBLEM", resultUnchecked: "not checked"}
	for _, l := range f {
		if _, err := fmt.Fprintf(w, "%s: %s: %s\n", words[l.Result], l.Check, l.Detail); err != nil {
			return err
		}
		if l.Hint == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "  hint: %s\n", l.Hint); err != nil {
			return err
		}
	}
	return nil
}
