package seal

import (
	"fmt"
	"slices"
)

// Codec says how data frames are compressed. Its number stands in frames, its
// name in headers. A Codec that is not below is unknown.
type Codec uint8

const (
	None Codec = 1 // frames as they are: their length tells nothing of the content
	LZ4  Codec = 2 // LZ4 blocks
	S2   Codec = 3 // S2 blocks, the default of a writer: less work than LZ4, objects a little larger
	Zstd Codec = 4 // Zstandard frames: the smallest objects, for the most work
)

// codecNames are the names by number. There is no codec 0.
var codecNames = [...]string{None: "none", LZ4: "lz4", S2: "s2", Zstd: "zstd"}

// Codecs lists the names that ParseCodec knows.
func Codecs() []string { return slices.Clone(codecNames[None:]) }

// ParseCodec reads what Codec.String prints. Other names give ErrVersion.
func ParseCodec(s string) (Codec, error) {
	if i := slices.Index(codecNames[None:], s); i >= 0 {
		return None + Codec(i), nil
	}
	return 0, fmt.Errorf("%w: codec %q", ErrVersion, s)
}

func (c Codec) known() bool { return None <= c && int(c) < len(codecNames) }

func (c Codec) String() string {
	if c.known() {
		return codecNames[c]
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// MarshalText is Codec.String.
func (c Codec) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is ParseCodec.
func (c *Codec) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCodec(string(b))
	return err
}
