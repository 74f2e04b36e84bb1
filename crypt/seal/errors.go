package seal

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt says that an object's bytes are not those that were sealed
	// with this key: damaged, cut, forged, or of another epoch key.
	ErrCorrupt = errors.New("sealed object is corrupt")
	// ErrMisplaced says that an object is authentic but stands where another
	// was asked for: its kind, name or archive differ.
	ErrMisplaced = errors.New("sealed object is misplaced")
	// ErrVersion says that an object's header asks for a version, suite or codec
	// that this program does not know. It may come from a newer one.
	ErrVersion = errors.New("sealed object is of an unknown version")
	// ErrOptions says that an object cannot be written as asked.
	ErrOptions = errors.New("cannot seal")
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}
