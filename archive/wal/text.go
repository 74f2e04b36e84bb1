package wal

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is a name or path as it stands in the WAL: bytes in the encoding of
// somebody's server. In JSON, a byte that is not UTF-8 becomes \xHH and a
// backslash is doubled, so that every text survives and most look as usual.
type Text string

// MarshalText writes t as above.
func (t Text) MarshalText() ([]byte, error) {
	var out []byte
	for s := string(t); s != ""; {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, s[0])
		case r == '\\':
			out = append(out, `\\`...)
		default:
			out = append(out, s[:n]...)
		}
		s = s[n:]
	}
	return out, nil
}

// UnmarshalText reads what MarshalText writes.
func (t *Text) UnmarshalText(b []byte) error {
	var out strings.Builder
	for s := string(b); s != ""; {
		plain, rest, found := strings.Cut(s, `\`)
		out.WriteString(plain)
		switch {
		case !found:
			s = ""
		case strings.HasPrefix(rest, `\`):
			out.WriteByte('\\')
			s = rest[1:]
		default:
			c, err := unescape(rest)
			if err != nil {
				return err
			}
			out.WriteByte(c)
			s = rest[3:]
		}
	}
	*t = Text(out.String())
	return nil
}

// unescape reads the xHH behind a backslash.
func unescape(s string) (byte, error) {
	if len(s) >= 3 && s[0] == 'x' {
		if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return byte(n), nil
		}
	}
	return 0, fmt.Errorf("a backslash followed by neither another nor xHH")
}
