package storage

import "strings"

// Bounds of names in bytes: what S3, GCS and Azure take as a whole, and file
// systems as one element.
const (
	MaxName    = 1024
	MaxElement = 255
)

// ValidName reports whether name can name an object: elements of
// [A-Za-z0-9._-], other than "." and "..", joined by single slashes, within
// MaxName and MaxElement. Such names mean the same to file systems, URLs,
// shells and every object store.
func ValidName(name string) bool {
	if len(name) > MaxName {
		return false
	}
	for element := range strings.SplitSeq(name, "/") {
		if !validElement(element) {
			return false
		}
	}
	return true
}

// CheckName is ValidName for backends: an *Error of kind ErrInvalid, or nil.
func CheckName(op, name string) error {
	if ValidName(name) {
		return nil
	}
	return &Error{Op: op, Err: invalid("%.*q is not the name of an object", MaxName, name)}
}

func validElement(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > MaxElement {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
