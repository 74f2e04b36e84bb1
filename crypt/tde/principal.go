package tde

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"walarchive/crypt"
)

// signedSize is the length of signed principal key information, in bytes.
const signedSize = 312

// PrincipalInfo says which principal key a scope has, signed with that key:
// bytes 8..319 of a key file, and the payload of the record that adds a key.
// It holds nothing of the key itself. Its text is those bytes in base64.
type PrincipalInfo struct {
	Scope    Scope
	Provider int32     // id of the key provider; negative ids are in 1664_providers
	Set      time.Time // when the key was set
	KeyName  string    // of the principal key, in that provider

	signed [signedSize]byte
}

// ParsePrincipalInfo reads the 312 bytes; see the package comment. The
// signature is not looked at: that takes the key (Verify).
func ParsePrincipalInfo(b []byte) (PrincipalInfo, error) {
	if len(b) != signedSize {
		return PrincipalInfo{}, fmt.Errorf("%w: %d bytes instead of %d", ErrDamaged, len(b), signedSize)
	}
	le := binary.LittleEndian
	name, ok := cString(b[24:280])
	if !ok || name == "" {
		return PrincipalInfo{}, fmt.Errorf("%w: no key name in its header", ErrDamaged)
	}
	sec, usec := le.Uint64(b[8:]), le.Uint64(b[16:])
	if sec > maxSeconds || usec >= 1e6 {
		return PrincipalInfo{}, fmt.Errorf("%w: no time in its header", ErrDamaged)
	}
	return PrincipalInfo{
		Scope:    Scope(le.Uint32(b)),
		Provider: int32(le.Uint32(b[4:])),
		Set:      time.Unix(int64(sec), int64(usec)*1000).UTC(),
		KeyName:  name,
		signed:   [signedSize]byte(b),
	}, nil
}

// Verify checks the signature: the only proof that principal is the right key,
// for a provider may hold another under the same name.
func (p *PrincipalInfo) Verify(principal crypt.Key) error {
	info, nonce, tag := p.signed[:280], p.signed[280:296], p.signed[296:]
	switch _, err := openGCM(principal, nonce, info, nil, tag); {
	case errors.Is(err, errTag):
		return hint(fmt.Errorf("key %q (%d bits): %w, or its header is damaged", p.KeyName, 8*len(principal.Bytes()), ErrWrongKey),
			"the provider holds another key under this name; does the keyring belong to this server?")
	case err != nil:
		return fmt.Errorf("key %q: %w", p.KeyName, err)
	}
	return nil
}

// Signed are the 312 bytes.
func (p *PrincipalInfo) Signed() []byte { return bytes.Clone(p.signed[:]) }

// MarshalText writes the 312 bytes in base64.
func (p PrincipalInfo) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, p.signed[:]), nil
}

// UnmarshalText reads what MarshalText writes.
func (p *PrincipalInfo) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("%w: principal key information: %w", ErrDamaged, err)
	}
	*p, err = ParsePrincipalInfo(b)
	return err
}
