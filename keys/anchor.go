package keys

import (
	"fmt"
	"strings"

	"walarchive/crypt"
)

// Anchor says which archive is meant: its id and the id of its first epoch.
// It is public; whoever holds it can tell the archive from any other, also
// from one invented in its place. It prints as two ids joined by a colon.
type Anchor struct {
	Archive crypt.ID
	Epoch   crypt.ID
}

func (a Anchor) String() string { return a.Archive.String() + ":" + a.Epoch.String() }

// MarshalText is String.
func (a Anchor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAnchor.
func (a *Anchor) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAnchor(string(b))
	return err
}

// ParseAnchor reads what Anchor.String prints.
func ParseAnchor(s string) (Anchor, error) {
	first, second, _ := strings.Cut(s, ":")
	archive, err := crypt.ParseID(first)
	if err == nil {
		var epoch crypt.ID
		if epoch, err = crypt.ParseID(second); err == nil {
			return Anchor{archive, epoch}, nil
		}
	}
	return Anchor{}, fmt.Errorf("%q is no anchor, two ids of 32 hexadecimal digits joined by a colon", s)
}
