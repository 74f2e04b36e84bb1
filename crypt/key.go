package crypt

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrKeyLength says that key bytes are neither 16 nor 32 long.
var ErrKeyLength = errors.New("a key has 16 or 32 bytes")

// Key is a secret of 16 or 32 bytes. No print verb, encoder or log handler
// shows it; Bytes is the only way out. The zero Key holds nothing.
type Key struct {
	// Two pointers deep: given a wrong verb, fmt follows one pointer even in an
	// unexported field of an unexported field.
	b **[]byte
}

// hold makes a key of b itself.
func hold(b []byte) Key {
	p := &b
	return Key{&p}
}

// NewKey copies b into a key.
func NewKey(b []byte) (Key, error) {
	if len(b) != 16 && len(b) != 32 {
		return Key{}, fmt.Errorf("%w, not %d", ErrKeyLength, len(b))
	}
	return hold(append([]byte(nil), b...)), nil
}

// RandomKey takes 32 bytes from rand.
func RandomKey(rand io.Reader) (Key, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(rand, b); err != nil {
		return Key{}, err
	}
	return hold(b), nil
}

// Bytes are the key's own bytes, not a copy. Do not keep them.
func (k Key) Bytes() []byte {
	if k.b == nil {
		return nil
	}
	return **k.b
}

// IsZero reports whether k holds nothing.
func (k Key) IsZero() bool { return len(k.Bytes()) == 0 }

// Equal reports whether both keys have the same bytes, in constant time.
func (k Key) Equal(other Key) bool {
	return subtle.ConstantTimeCompare(k.Bytes(), other.Bytes()) == 1
}

// Derive makes a 32-byte key for one purpose, by HKDF-SHA-256 (RFC 5869) with
// info as the purpose. Equal inputs give equal keys. From the zero Key comes
// only the zero Key, never one that anybody could compute.
func (k Key) Derive(salt []byte, info string) Key {
	if k.IsZero() {
		return Key{}
	}
	b, err := hkdf.Key(sha256.New, k.Bytes(), salt, info, 32)
	if err != nil {
		panic(err) // only for lengths HKDF cannot give
	}
	return hold(b)
}

// Fingerprint names a key without revealing it: 16 hexadecimal digits of a
// value derived from the key, or "none" for the zero Key.
func (k Key) Fingerprint() string {
	if k.IsZero() {
		return "none"
	}
	return hex.EncodeToString(k.Derive(nil, "walarchive key fingerprint").Bytes()[:8])
}

// Wipe overwrites the key's bytes, in all copies of k.
func (k Key) Wipe() { clear(k.Bytes()) }

const hidden = "key(hidden)"

// Format hides the key from every print verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the key from log handlers.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key from encoders.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
