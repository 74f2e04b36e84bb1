package tde

import "errors"

// The kinds of failure that callers decide by.
var (
	ErrDamaged     = errors.New("damaged")                                 // a key file is not what its format says
	ErrUnsupported = errors.New("not supported")                           // of a version or machine that is not read here
	ErrWrongKey    = errors.New("not the principal key of this key file")  // the signature in the header does not match
	ErrUnwrap      = errors.New("does not unwrap")                         // an entry, though the principal key is right
	ErrOverlap     = errors.New("key ranges overlap")                      // pg_tde itself cannot read such WAL back
	ErrAmbiguous   = errors.New("two key directories")                     // pg_tde and open_pg_tde side by side
	ErrProvider    = errors.New("key provider not usable")                 // unknown, deleted, or with bad options
	ErrMismatch    = errors.New("segment does not fit the cluster's keys") // see Cipher.Diagnose
)

// hinted adds what an operator can do.
type hinted struct {
	error
	advice string
}

func hint(err error, advice string) error { return &hinted{err, advice} }

func (h *hinted) Unwrap() error { return h.error }

// Hint is what an operator can do about it.
func (h *hinted) Hint() string { return h.advice }
