package file

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"walarchive/crypt"
	"walarchive/keys"
)

// Sizes in the keyring file; see the package comment.
const (
	nameSize   = 256
	keySize    = 32
	recordSize = nameSize + keySize + 4
)

// find is the key of the first record whose name equals name, ignoring ASCII
// case. Records behind it are not looked at.
func find(keyring []byte, name string) (crypt.Key, error) {
	for rest := keyring; len(rest) > 0; rest = rest[recordSize:] {
		off := len(keyring) - len(rest)
		if len(rest) < recordSize {
			return crypt.Key{}, fmt.Errorf("%w: %d bytes at offset %d are no record of %d",
				keys.ErrBadKeyring, len(rest), off, recordSize)
		}
		found, ok := recordName(rest)
		if !ok {
			return crypt.Key{}, fmt.Errorf("%w: the record at offset %d has no name", keys.ErrBadKeyring, off)
		}
		if equalFoldASCII(found, name) {
			return recordKey(rest)
		}
	}
	return crypt.Key{}, keys.ErrNoKey
}

// recordName is the name in a record; it must be ended by NUL.
func recordName(record []byte) (string, bool) {
	n := bytes.IndexByte(record[:nameSize], 0)
	if n <= 0 {
		return "", false
	}
	return string(record[:n]), true
}

func recordKey(record []byte) (crypt.Key, error) {
	n := binary.LittleEndian.Uint32(record[nameSize+keySize:])
	if n != 16 && n != 32 {
		return crypt.Key{}, fmt.Errorf("%w: the keyring says it has %d bytes", keys.ErrBadKey, n)
	}
	return crypt.NewKey(record[nameSize:][:n])
}

// newRecord is the record of a key; name must have passed checkName.
func newRecord(name string, key crypt.Key) []byte {
	r := make([]byte, recordSize)
	copy(r[:nameSize], name)
	copy(r[nameSize:], key.Bytes())
	binary.LittleEndian.PutUint32(r[nameSize+keySize:], uint32(len(key.Bytes())))
	return r
}

func checkName(name string) error {
	if name == "" || len(name) >= nameSize || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w: names here have 1 to %d bytes, none of them NUL", keys.ErrName, nameSize-1)
	}
	return nil
}

func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
