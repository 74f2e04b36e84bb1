package crypt

import (
	"crypto/hkdf"
	"crypto/sha256"
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
type Key struct{ b *[]byte }

// NewKey copies b into a key.
func NewKey(b []byte) (Key, error) {
	if len(b) != 16 && len(b) != 32 {
		return Key{}, fmt.Errorf("%w, not %d", ErrKeyLength, len(b))
	}
	c := append([]byte(nil), b...)
	return Key{&c}, nil
}

// RandomKey takes 32 bytes from rand.
func RandomKey(rand io.Reader) (Key, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(rand, b); err != nil {
		return Key{}, err
	}
	return Key{&b}, nil
}

// Bytes are the key's own bytes, not a copy. Do not keep them.
func (k Key) Bytes() []byte {
	if k.b == nil {
		return nil
	}
	return *k.b
}

// IsZero reports whether k holds nothing.
func (k Key) IsZero() bool { return k.b == nil || len(*k.b) == 0 }

// Derive makes a 32-byte key for one purpose, by HKDF-SHA-256 (RFC 5869) with
// info as the purpose. Equal inputs give equal keys.
func (k Key) Derive(salt []byte, info string) Key {
	b, err := hkdf.Key(sha256.New, k.Bytes(), salt, info, 32)
	if err != nil {
		panic(err) // only for lengths HKDF cannot give
	}
	return Key{&b}
}

// Fingerprint names a key without revealing it: 16 hexadecimal digits of a
// value derived from the key.
func (k Key) Fingerprint() string {
	return hex.EncodeToString(k.Derive(nil, "walarchive key fingerprint").Bytes()[:8])
}

// Wipe overwrites the key's bytes, in all copies of k.
func (k Key) Wipe() { clear(k.Bytes()) }

const hidden = "key(hidden)"

func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the key from log handlers.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key from encoders.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
