package queue

import (
	"context"
	"errors"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/storage"
)

// failure is an error on its way through the socket.
type failure struct {
	Kinds []string `json:"kinds,omitempty"`
	Text  string   `json:"text"`
	Hint  string   `json:"hint,omitempty"`
}

// kinds names the errors that callers on the other end decide by.
func kinds() map[string]error {
	return map[string]error{
		"archive.ErrNoArchive": archive.ErrNoArchive, "archive.ErrForeign": archive.ErrForeign,
		"archive.ErrInvalid": archive.ErrInvalid, "archive.ErrTDE": archive.ErrTDE,
		"archive.ErrChanged": archive.ErrChanged, "archive.ErrConflict": archive.ErrConflict,
		"archive.ErrDamaged": archive.ErrDamaged, "archive.ErrNewer": archive.ErrNewer,
		"archive.ErrEnd": archive.ErrEnd, "archive.ErrHole": archive.ErrHole,
		"archive.ErrDataDir": archive.ErrDataDir, "archive.ErrPlaintext": archive.ErrPlaintext,
		"archive.ErrRolledBack": archive.ErrRolledBack,

		"storage.ErrNotExist": storage.ErrNotExist, "storage.ErrExist": storage.ErrExist,
		"storage.ErrPermission": storage.ErrPermission, "storage.ErrInvalid": storage.ErrInvalid,
		"storage.ErrUnavailable": storage.ErrUnavailable, "storage.ErrFull": storage.ErrFull,
		"storage.ErrTooLarge": storage.ErrTooLarge,

		"keys.ErrChain": keys.ErrChain, "keys.ErrVersion": keys.ErrVersion,
		"keys.ErrUnknownEpoch": keys.ErrUnknownEpoch, "keys.ErrNoKey": keys.ErrNoKey,
		"keys.ErrUnavailable": keys.ErrUnavailable, "keys.ErrBadKey": keys.ErrBadKey,
		"keys.ErrBadKeyring": keys.ErrBadKeyring, "keys.ErrName": keys.ErrName,
		"keys.WrongKeyError": errWrongKey,

		"tde.ErrDamaged": tde.ErrDamaged, "tde.ErrUnsupported": tde.ErrUnsupported,
		"tde.ErrWrongKey": tde.ErrWrongKey, "tde.ErrUnwrap": tde.ErrUnwrap,
		"tde.ErrOverlap": tde.ErrOverlap, "tde.ErrAmbiguous": tde.ErrAmbiguous,
		"tde.ErrProvider": tde.ErrProvider, "tde.ErrMismatch": tde.ErrMismatch,

		"seal.ErrCorrupt": seal.ErrCorrupt, "seal.ErrMisplaced": seal.ErrMisplaced,
		"seal.ErrVersion": seal.ErrVersion,

		"crypt.ErrKeyLength": crypt.ErrKeyLength, "crypt.ErrUnwrap": crypt.ErrUnwrap,
		"crypt.ErrWrap": crypt.ErrWrap,

		"wal.ErrName": wal.ErrName, "wal.ErrHistory": wal.ErrHistory, "wal.ErrControl": wal.ErrControl,

		"context.Canceled": context.Canceled, "context.DeadlineExceeded": context.DeadlineExceeded,
	}
}

// errWrongKey stands for a *keys.WrongKeyError, which is known by its type.
var errWrongKey error = &keys.WrongKeyError{}

// newFailure takes err apart.
func newFailure(err error) *failure {
	f := &failure{Text: clip(err.Error()), Hint: clip(hintOf(err))}
	for name, kind := range kinds() {
		if errors.Is(err, kind) {
			f.Kinds = append(f.Kinds, name)
		}
	}
	var wrong *keys.WrongKeyError
	if errors.As(err, &wrong) {
		f.Kinds = append(f.Kinds, "keys.WrongKeyError")
	}
	return f
}

// clip bounds a text so that a message has room for two and more.
func clip(s string) string {
	const most = 8 << 10 // bytes; some become six in JSON
	return s[:min(len(s), most)]
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// remote is an error that the agent met.
type remote struct {
	failure
	kinds []error
}

// error puts the error together again. Kinds of a newer program are left out:
// what nobody here knows, nobody decides by.
func (f *failure) error() error {
	r := &remote{failure: *f}
	known := kinds()
	for _, name := range f.Kinds {
		if kind, ok := known[name]; ok {
			r.kinds = append(r.kinds, kind)
		}
	}
	return r
}

func (r *remote) Error() string   { return r.Text }
func (r *remote) Hint() string    { return r.failure.Hint }
func (r *remote) Unwrap() []error { return r.kinds }
