package tde

import (
	"bytes"
	"fmt"
)

const (
	headerSize = 320
	maxSeconds = 253402300799 // the last of the year 9999
)

// Header names the principal key that wraps all keys of a key file.
type Header struct {
	Version Version
	PrincipalInfo
}

func parseHeader(b []byte) (*Header, error) {
	v, err := parseMagic(b)
	if err != nil {
		return nil, err
	}
	if len(b) < headerSize {
		return nil, fmt.Errorf("%w: %d bytes are less than its header of %d", ErrDamaged, len(b), headerSize)
	}
	p, err := ParsePrincipalInfo(b[8:headerSize])
	if err != nil {
		return nil, err
	}
	if p.Scope != ServerScope {
		return nil, fmt.Errorf("%w: it is the key file of %v, not of the server", ErrDamaged, p.Scope)
	}
	return &Header{v, p}, nil
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

// cString is the text before the first NUL, which must be there.
func cString(b []byte) (string, bool) {
	n := bytes.IndexByte(b, 0)
	if n < 0 {
		return "", false
	}
	return string(b[:n]), true
}
