package pitr

import (
	"errors"
	"os"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/storage"
)

// worthRetrying reports whether a failure can pass by itself: trouble on the
// way to the store or a key service, a full disk, and in a recovery a hole,
// which a primary's archiver may still fill. A keyring file that is missing
// counts as a key service out of reach, for a file system that is not mounted
// yet looks the same; one that may not be read does not.
func (c *call) worthRetrying(err error) bool {
	switch {
	case errors.Is(err, archive.ErrHole):
		return c.situation == Recovery
	case errors.Is(err, os.ErrPermission):
		return false
	case errors.Is(err, keys.ErrUnavailable):
		return true
	}
	return !final(err) && !storage.Permanent(err)
}

// final reports whether err is about what is stored, set or asked, so that it
// will be the same at the next try. What is not known here is not final: tries
// are bounded.
func final(err error) bool {
	var wrong *keys.WrongKeyError
	if errors.As(err, &wrong) {
		return true
	}
	for _, kind := range []error{
		archive.ErrEnd, archive.ErrNoArchive, archive.ErrForeign, archive.ErrInvalid, archive.ErrDamaged,
		archive.ErrDataDir, archive.ErrRolledBack, archive.ErrPlaintext, archive.ErrNewer,
		keys.ErrChain, keys.ErrVersion, keys.ErrUnknownEpoch, keys.ErrNoKey, keys.ErrBadKey, keys.ErrBadKeyring, keys.ErrName,
		tde.ErrDamaged, tde.ErrUnsupported, tde.ErrWrongKey, tde.ErrUnwrap, tde.ErrOverlap, tde.ErrAmbiguous,
		tde.ErrProvider, tde.ErrMismatch,
		seal.ErrCorrupt, seal.ErrMisplaced, seal.ErrVersion,
		crypt.ErrKeyLength, crypt.ErrUnwrap, crypt.ErrWrap,
		wal.ErrName, wal.ErrHistory, wal.ErrControl,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
