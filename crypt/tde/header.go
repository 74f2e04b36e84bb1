package tde

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"walarchive/crypt"
)

const (
	headerSize = 320
	maxSeconds = 253402300799 // the last of the year 9999
)

// serverScope is the "database" of the server's own key (pg_tde: GLOBAL_DATA_TDE_OID).
const serverScope = 1664

// Header names the principal key that wraps all keys of a key file.
type Header struct {
	Version  Version
	Provider int32     // id of the key provider; negative ids are in 1664_providers
	Set      time.Time // when the key was set
	KeyName  string    // of the principal key, in that provider

	signed [312]byte // file bytes 8..319
}

func parseHeader(b []byte) (*Header, error) {
	v, err := parseMagic(b)
	if err != nil {
		return nil, err
	}
	if len(b) < headerSize {
		return nil, fmt.Errorf("%w: %d bytes are less than its header of %d", ErrDamaged, len(b), headerSize)
	}
	le := binary.LittleEndian
	if db := le.Uint32(b[8:]); db != serverScope {
		return nil, fmt.Errorf("%w: it is the key file of database %d, not of the server (%d)", ErrDamaged, db, serverScope)
	}
	name, ok := cString(b[32:288])
	if !ok || name == "" {
		return nil, fmt.Errorf("%w: no key name in its header", ErrDamaged)
	}
	sec, usec := le.Uint64(b[16:]), le.Uint64(b[24:])
	if sec > maxSeconds || usec >= 1e6 {
		return nil, fmt.Errorf("%w: no time in its header", ErrDamaged)
	}
	return &Header{
		Version:  v,
		Provider: int32(le.Uint32(b[12:])),
		Set:      time.Unix(int64(sec), int64(usec)*1000).UTC(),
		KeyName:  name,
		signed:   [312]byte(b[8:headerSize]),
	}, nil
}

// parseMagic reads the first four bytes: "WEK" and the version, or the reverse
// on a big-endian machine.
func parseMagic(b []byte) (Version, error) {
	if len(b) < 4 {
		return 0, fmt.Errorf("%w: %d bytes are less than its header of %d", ErrDamaged, len(b), headerSize)
	}
	m := b[:4]
	v := Version(m[3] & 0x0F)
	_, known := v.layout()
	switch {
	case bytes.HasSuffix(m, []byte("KEW")):
		return 0, fmt.Errorf("a key file of a big-endian machine is %w (magic % X)", ErrUnsupported, m)
	case !bytes.HasPrefix(m, []byte("WEK")):
		return 0, fmt.Errorf("%w: not a WAL key file (magic % X)", ErrDamaged, m)
	case !known || m[3] > 0x0F:
		return 0, hint(fmt.Errorf("this version of the WAL key file is %w (magic % X)", ErrUnsupported, m),
			"was the server upgraded to a pg_tde newer than this program?")
	}
	return v, nil
}

// Verify checks the signature in the header: the only proof that principal is
// the right key, for a provider may hold another under the same name.
func (h *Header) Verify(principal crypt.Key) error {
	info, nonce, tag := h.signed[:280], h.signed[280:296], h.signed[296:]
	switch _, err := openGCM(principal, nonce, info, nil, tag); {
	case errors.Is(err, errTag):
		return hint(fmt.Errorf("key %q (%d bits): %w, or its header is damaged", h.KeyName, 8*len(principal.Bytes()), ErrWrongKey),
			"the provider holds another key under this name; does the keyring belong to this server?")
	case err != nil:
		return fmt.Errorf("key %q: %w", h.KeyName, err)
	}
	return nil
}

// Signed are the 312 bytes that pg_tde also logs when a key is set: scope,
// provider, time and name of the principal key, and their signature.
func (h *Header) Signed() []byte { return bytes.Clone(h.signed[:]) }

// cString is the text before the first NUL, which must be there.
func cString(b []byte) (string, bool) {
	n := bytes.IndexByte(b, 0)
	if n < 0 {
		return "", false
	}
	return string(b[:n]), true
}
