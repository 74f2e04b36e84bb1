package command

import (
	"fmt"
	"io"
	"strings"
)

// WithHint adds to an error what an operator can do about it.
func WithHint(err error, hint string) error { return &advised{err, hint} }

type advised struct {
	error
	hint string
}

func (a *advised) Unwrap() error { return a.error }
func (a *advised) Hint() string  { return a.hint }

// Report prints an error in one line, and a hint, if it has one, in a second.
func Report(w io.Writer, program string, err error) {
	text, hint := Describe(err)
	_, _ = fmt.Fprintf(w, "%s: %s\n", program, text)
	if hint != "" {
		_, _ = fmt.Fprintf(w, "hint: %s\n", hint)
	}
}

// Describe is an error in one line, and in another its hint, "" for none.
func Describe(err error) (text, advice string) {
	return oneLine(err.Error()), oneLine(hint(err))
}

// oneLine joins the lines of s: errors.Join puts each of its errors on one.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// hint is the first that err, or one of those it wraps, has to give.
func hint(err error) string {
	if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
		return h.Hint()
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if inner := u.Unwrap(); inner != nil {
			return hint(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			if h := hint(inner); h != "" {
				return h
			}
		}
	}
	return ""
}
