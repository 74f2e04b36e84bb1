package seal

import (
	"fmt"

	"github.com/pierrec/lz4/v4"
)

// Codec says how data frames are compressed. Its number stands in frames, its
// name in headers.
type Codec uint8

const (
	None Codec = 1 // frames as they are: their length tells nothing of the content
	LZ4  Codec = 2 // LZ4 blocks; the default of a writer
)

// ParseCodec reads what Codec.String prints. Other names give ErrVersion.
func ParseCodec(s string) (Codec, error) {
	for _, c := range []Codec{None, LZ4} {
		if s == c.String() {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%w: codec %q", ErrVersion, s)
}

func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case LZ4:
		return "lz4"
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

// compressor holds the state of LZ4 compression between frames. Its output is
// that of LZ4_compress_fast in the reference implementation.
type compressor struct{ lz4 lz4.CompressorCCompat }

// compress puts src, compressed, into dst and returns its length, or 0 if that
// does not fit.
func (c *compressor) compress(dst, src []byte) int {
	n, err := c.lz4.CompressBlock(src, dst)
	if err != nil {
		return 0
	}
	return n
}

// decompress fills all of dst from src, and reports whether that came out even.
func decompress(dst, src []byte) bool {
	n, err := lz4.UncompressBlock(src, dst)
	return err == nil && n == len(dst)
}
