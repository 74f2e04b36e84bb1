package crypt

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ErrID says that a text is not an ID.
var ErrID = errors.New("an id has 32 lower-case hexadecimal digits")

// ID is the 16-byte identity of an archive or of an epoch. It is no secret and
// prints as 32 lower-case hexadecimal digits.
type ID [16]byte

// NewID takes an ID from rand.
func NewID(rand io.Reader) (ID, error) {
	var id ID
	_, err := io.ReadFull(rand, id[:])
	return id, err
}

// ParseID reads what ID.String prints, and only that, or gives ErrID.
func ParseID(s string) (ID, error) {
	var id ID
	if !parseHex(id[:], s) {
		return ID{}, fmt.Errorf("%w, not %q", ErrID, s)
	}
	return id, nil
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id was never set.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText is ID.String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// parseHex fills dst from exactly as many lower-case hexadecimal digits.
func parseHex(dst []byte, s string) bool {
	if len(s) != hex.EncodedLen(len(dst)) {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(s))
	return err == nil
}
