package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// The kinds of failure that callers decide by. Those of io/fs are shared with
// it, so that errors.Is works across packages.
var (
	ErrNotExist   = fs.ErrNotExist   // the store said that the object is not there
	ErrExist      = fs.ErrExist      // the name is taken
	ErrPermission = fs.ErrPermission // the store said no
	ErrInvalid    = fs.ErrInvalid    // no store can do this: a bad name, URL or offset

	ErrUnavailable = errors.New("the store is not available") // gone, unreachable or mute
	ErrFull        = errors.New("the store is full")          // no space or quota left
	ErrTooLarge    = errors.New("larger than allowed")        // see ReadAll
)

// Error says which operation on which object failed. It unwraps to Err.
type Error struct {
	Op   string // put, get, stat, list or delete
	Name string // of the object; of a list, the prefix
	Err  error
}

func (e *Error) Error() string {
	if e.Name == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + " " + e.Name + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Permanent reports whether repeating the call cannot help. What we cannot
// classify counts as transient: tries are bounded. So does an exceeded
// deadline, which may be that of one request; whoever repeats looks at the
// own context anyway.
func Permanent(err error) bool {
	if errors.Is(err, ErrUnavailable) {
		return false
	}
	for _, kind := range []error{
		ErrNotExist, ErrExist, ErrPermission, ErrInvalid, ErrFull, ErrTooLarge,
		errors.ErrUnsupported, context.Canceled,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// Classify gives err, which keeps its words, to one of the kinds above, and
// adds a hint for the operator ("" for none). The kind replaces what err
// wrapped: a store whose directory is gone must not be taken for ErrNotExist
// because the system said ENOENT. A nil kind leaves err as it is.
func Classify(err, kind error, hint string) error {
	if kind == nil {
		kind = err
	}
	return &classified{err.Error(), kind, hint}
}

type classified struct {
	text string
	kind error
	hint string
}

func (c *classified) Error() string { return c.text }
func (c *classified) Unwrap() error { return c.kind }

// Hint is what the operator can do about the error.
func (c *classified) Hint() string { return c.hint }

func invalid(format string, args ...any) error {
	return Classify(fmt.Errorf(format, args...), ErrInvalid, "")
}
