// Package escrow wraps epoch keys to age recipients. A recipient is the public
// half of a key pair whose secret half, the identity, lies in a safe and on no
// host: whoever archives can put keys into escrow, and only the safe can take
// them out.
//
// A wrap is of kind age (crypt.WrapAge). Its provider is Provider, its key the
// recipient, its box a binary age file (age-encryption.org/v1) for that one
// recipient with the 32 bytes of the epoch key as content. Nothing in it is
// bound to an archive or an epoch, and anybody can make one: the epoch's id,
// which the epoch key itself determines, tells the right key, and package keys
// believes nothing else for such a wrap.
//
// Recipients are of age's native kind, X25519 (age1…). age itself is the work
// of package filippo.io/age; it is outside the approved modes of FIPS 140-3.
package escrow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"filippo.io/age"

	"walarchive/crypt"
)

// Provider is the provider that wraps of this kind name. It is none of the
// configuration's.
const Provider = "escrow"

// MaxIdentityFile bounds a file of identities, in bytes.
const MaxIdentityFile = 64 << 10

const keySize = 32

var (
	// ErrRecipient says that a text is no recipient.
	ErrRecipient = errors.New("no age recipient (age1 and 58 more characters, as age-keygen prints it)")
	// ErrIdentity says that a file holds no usable identity.
	ErrIdentity = errors.New("no age identity (a line AGE-SECRET-KEY-1…, as age-keygen writes it)")
)

// Recipient is whom a key is wrapped to, in age's own spelling. It is public.
type Recipient string

// ParseRecipient reads a recipient, and only in the spelling that age itself
// prints. Its errors never repeat what may be a secret.
func ParseRecipient(s string) (Recipient, error) {
	r, err := age.ParseX25519Recipient(s)
	switch {
	case err == nil && r.String() == s:
		return Recipient(s), nil
	case strings.HasPrefix(strings.ToUpper(s), "AGE-SECRET-KEY-"):
		return "", fmt.Errorf("%w: this is the identity, which must stay secret", ErrRecipient)
	case strings.HasPrefix(s, "age1pq1"):
		return "", fmt.Errorf("%w: post-quantum recipients are not supported", ErrRecipient)
	}
	return "", ErrRecipient
}

// UnmarshalText is ParseRecipient.
func (r *Recipient) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRecipient(string(b))
	return err
}

// Wrap wraps an epoch key, 32 bytes.
func (r Recipient) Wrap(k crypt.Key) (crypt.Wrap, error) {
	to, err := age.ParseX25519Recipient(string(r))
	if err != nil {
		return crypt.Wrap{}, ErrRecipient
	}
	if len(k.Bytes()) != keySize {
		return crypt.Wrap{}, fmt.Errorf("escrow: %w", crypt.ErrKeyLength)
	}
	var box bytes.Buffer
	w, err := age.Encrypt(&box, to)
	if err == nil {
		_, err = w.Write(k.Bytes())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return crypt.Wrap{}, fmt.Errorf("wrap to %s: %w", r, err)
	}
	wrap := crypt.Wrap{Kind: crypt.WrapAge, Provider: Provider, Key: string(r), Box: box.Bytes()}
	return wrap, wrap.Check()
}

// Identity is the secret half of a recipient. No verb and no handler shows it.
type Identity struct{ id *age.X25519Identity }

// ParseIdentities reads a file as age-keygen writes it. Its errors never repeat
// what stands in the file.
func ParseIdentities(file []byte) ([]Identity, error) {
	if bytes.HasPrefix(file, []byte("age-encryption.org/")) || bytes.HasPrefix(file, []byte("-----BEGIN AGE ENCRYPTED FILE")) {
		return nil, fmt.Errorf("%w: the file is encrypted itself: decrypt it with age first", ErrIdentity)
	}
	all, err := age.ParseIdentities(bytes.NewReader(file))
	if err != nil {
		return nil, ErrIdentity
	}
	var ids []Identity
	for _, id := range all {
		if x, ok := id.(*age.X25519Identity); ok {
			ids = append(ids, Identity{x})
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: post-quantum identities are not supported", ErrIdentity)
	}
	return ids, nil
}

// Recipient is the identity's public half.
func (i Identity) Recipient() Recipient { return Recipient(i.id.Recipient().String()) }

// Unwrap opens a wrap. One for another recipient, or altered, gives
// crypt.ErrUnwrap. What comes out may be anybody's: see the package comment.
func (i Identity) Unwrap(w crypt.Wrap) (crypt.Key, error) {
	if w.Kind != crypt.WrapAge || w.Check() != nil {
		return crypt.Key{}, crypt.ErrWrap
	}
	r, err := age.Decrypt(bytes.NewReader(w.Box), i.id)
	if err != nil {
		return crypt.Key{}, crypt.ErrUnwrap
	}
	b, err := io.ReadAll(io.LimitReader(r, keySize+1))
	defer clear(b)
	if err != nil || len(b) != keySize {
		return crypt.Key{}, crypt.ErrUnwrap
	}
	return crypt.NewKey(b)
}

const hidden = "identity(hidden)"

// Format hides the identity from every print verb.
func (Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the identity from log handlers.
func (Identity) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the identity from encoders.
func (Identity) MarshalText() ([]byte, error) { return []byte(hidden), nil }
