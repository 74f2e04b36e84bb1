package archive

import (
	"errors"
	"fmt"
)

// The kinds of failure that callers decide by.
var (
	// ErrNoArchive: nothing is stored under this URL and cluster name.
	ErrNoArchive = errors.New("no archive here")
	// ErrForeign: the file or the server belongs to another cluster than the archive.
	ErrForeign = errors.New("belongs to another cluster")
	// ErrInvalid: the file is not a sound WAL file of its name.
	ErrInvalid = errors.New("not a sound WAL file")
	// ErrTDE: what encrypts the WAL on this server cannot be had or read.
	ErrTDE = errors.New("pg_tde")
	// ErrChanged: the file changed or went away while it was read.
	ErrChanged = errors.New("changed while it was read")
	// ErrConflict: the name is taken by other content.
	ErrConflict = errors.New("already archived with other content")
	// ErrDamaged: an object of the archive does not authenticate.
	ErrDamaged = errors.New("the stored object is damaged")
	// ErrNewer: what is stored has members that this version does not know.
	ErrNewer = errors.New("written by a newer version of walarchive")
	// ErrEnd: the archive has no such file and its WAL ends before it.
	ErrEnd = errors.New("not in the archive")
	// ErrHole: the archive has no such file although it has later ones.
	ErrHole = errors.New("missing in the archive, though later WAL is there")
	// ErrDataDir: no data directory where one is needed.
	ErrDataDir = errors.New("not a PostgreSQL data directory")
	// ErrPlaintext: the server would get in plaintext what its source had encrypted.
	ErrPlaintext = errors.New("this server's key ranges leave it in plaintext, though the source had it encrypted")
	// ErrRolledBack: the key chain is shorter than an object says it was.
	ErrRolledBack = errors.New("the key chain has lost its newest entries")
)

// advised is an error with something that an operator can do about it.
type advised struct {
	error
	hint string
}

func (e advised) Unwrap() error { return e.error }

// Hint is what an operator can do about the error.
func (e advised) Hint() string { return e.hint }

func advise(err error, hint string, args ...any) error {
	return advised{err, fmt.Sprintf(hint, args...)}
}

// hintOf is the hint that an operator would read for err, "" for none.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
