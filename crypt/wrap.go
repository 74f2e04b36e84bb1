package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The kinds of wraps.
const (
	WrapLocal   = "local"   // made by WrapKey
	WrapTransit = "transit" // made in a Transit engine of Vault or OpenBao, by a key that stays there
	WrapAge     = "age"     // an age file for an escrow recipient: anybody can make one
)

const (
	wrapLabel  = "walarchive wrap local 1"
	keySize    = 32
	saltSize   = 32
	nonceSize  = 12
	tagSize    = 16
	maxWrapBox = 4096 // an age file for a post-quantum recipient has about 1.8 kB
)

var (
	// ErrUnwrap says that a wrap does not open: another principal key, archive
	// or epoch, or altered bytes. Which of these, cannot be told.
	ErrUnwrap = errors.New("the principal key does not open this wrap")
	// ErrWrap says that a wrap is malformed.
	ErrWrap = errors.New("malformed key wrap")
)

// Wrap is one wrapping of an epoch key by one principal key, as it stands in
// object headers and key-chain entries. It holds no secret.
type Wrap struct {
	Kind     string `json:"kind"`            // WrapLocal: AES-256-GCM under a key of ours, see WrapKey; WrapTransit; or WrapAge
	Provider string `json:"provider"`        // name in the reader's own configuration, never an address; age: escrow
	Key      string `json:"key"`             // the principal key's name in that provider; age: the recipient
	Salt     []byte `json:"salt,omitempty"`  // local: 32 bytes
	Nonce    []byte `json:"nonce,omitempty"` // local: 12 bytes
	Box      []byte `json:"box"`             // local: 32 bytes of epoch key and the 16-byte tag, encrypted; transit: the ciphertext as the service gave it; age: the file
}

// Binding is what a wrap is bound to besides its principal key.
type Binding struct {
	Archive, Epoch ID
	Provider, Key  string // names of the principal key; both ValidName
}

// WrapKey wraps epochKey by principal, both of 32 bytes (else ErrKeyLength), as
// the package comment says. The salt is taken from rand; the nonce comes from
// the cryptographic module itself, as the approved modes of FIPS 140-3 ask.
func WrapKey(rand io.Reader, principal, epochKey Key, b Binding) (Wrap, error) {
	if len(epochKey.Bytes()) != keySize {
		return Wrap{}, fmt.Errorf("epoch key: %w", wrongLength(epochKey))
	}
	if !ValidName(b.Provider) || !ValidName(b.Key) {
		return Wrap{}, fmt.Errorf("%w: names %q, %q", ErrWrap, b.Provider, b.Key)
	}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return Wrap{}, err
	}
	aead, err := wrapCipher(principal, salt)
	if err != nil {
		return Wrap{}, err
	}
	sealed := aead.Seal(nil, nil, epochKey.Bytes(), b.associatedData())
	return Wrap{
		Kind: WrapLocal, Provider: b.Provider, Key: b.Key,
		Salt: salt, Nonce: sealed[:nonceSize:nonceSize], Box: sealed[nonceSize:],
	}, nil
}

// UnwrapKey opens a wrap made by WrapKey for this archive and epoch. A key that
// does not fit gives ErrUnwrap, a wrap of another kind or shape ErrWrap, a
// principal that has not 32 bytes ErrKeyLength.
func UnwrapKey(principal Key, w Wrap, archive, epoch ID) (Key, error) {
	if w.Kind != WrapLocal {
		return Key{}, fmt.Errorf("%w: kind %q is not %q", ErrWrap, w.Kind, WrapLocal)
	}
	if err := w.Check(); err != nil {
		return Key{}, err
	}
	aead, err := wrapCipher(principal, w.Salt)
	if err != nil {
		return Key{}, err
	}
	sealed := append(append([]byte(nil), w.Nonce...), w.Box...)
	b := Binding{archive, epoch, w.Provider, w.Key}
	key, err := aead.Open(nil, nil, sealed, b.associatedData())
	if err != nil {
		return Key{}, ErrUnwrap
	}
	return hold(key), nil
}

// Check reports, as ErrWrap, a wrap that no writer makes. Kinds other than
// WrapLocal are only bounded: at most 64 bytes of salt and of nonce, and 1 to
// 4096 bytes of box.
func (w Wrap) Check() error {
	switch {
	case !ValidName(w.Kind):
		return fmt.Errorf("%w: kind %q", ErrWrap, w.Kind)
	case !ValidName(w.Provider) || !ValidName(w.Key):
		return fmt.Errorf("%w: names %q, %q", ErrWrap, w.Provider, w.Key)
	case w.Kind == WrapLocal:
		if len(w.Salt) != saltSize || len(w.Nonce) != nonceSize || len(w.Box) != keySize+tagSize {
			return fmt.Errorf("%w: salt, nonce and box have %d, %d and %d bytes",
				ErrWrap, len(w.Salt), len(w.Nonce), len(w.Box))
		}
	case len(w.Salt) > 64 || len(w.Nonce) > 64 || len(w.Box) == 0 || len(w.Box) > maxWrapBox:
		return fmt.Errorf("%w: a %s wrap of this size", ErrWrap, w.Kind)
	}
	return nil
}

// ValidName reports whether s can name a provider or a key of ours:
// [A-Za-z0-9._-]{1,128}. A name read from an object can thus hold no address.
func ValidName(s string) bool {
	if len(s) < 1 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// wrapCipher is AES-256-GCM under the wrap's own key. It puts a random nonce
// before what it seals and expects it before what it opens.
func wrapCipher(principal Key, salt []byte) (cipher.AEAD, error) {
	if len(principal.Bytes()) != keySize {
		return nil, fmt.Errorf("principal key: %w", wrongLength(principal))
	}
	block, err := aes.NewCipher(principal.Derive(salt, wrapLabel).Bytes())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (b Binding) associatedData() []byte {
	var aad []byte
	for _, field := range []string{wrapLabel, string(b.Archive[:]), string(b.Epoch[:]), b.Provider, b.Key} {
		aad = binary.BigEndian.AppendUint32(aad, uint32(len(field)))
		aad = append(aad, field...)
	}
	return aad
}

func wrongLength(k Key) error {
	return fmt.Errorf("%w; this use needs 32, not %d", ErrKeyLength, len(k.Bytes()))
}
