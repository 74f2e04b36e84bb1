package seal

import (
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// A coder compresses and decompresses frames. It keeps its tables from one to
// the next, and is not safe for concurrent use.
type coder interface {
	// pack puts src, compressed, into dst, which has bound(len(src)) bytes or
	// more, and returns its length: of no use unless below len(src).
	pack(dst, src []byte) int
	bound(n int) int
	// unpack fills all of dst from src, and reports whether that came out even.
	// However src was made, it takes no more memory than for an honest one.
	unpack(dst, src []byte) bool
}

// coder makes a coder of c, nil for None.
func (c Codec) coder() coder {
	switch c {
	case LZ4:
		return new(lz4Coder)
	case S2:
		return s2Coder{}
	case Zstd:
		return new(zstdCoder)
	}
	return nil
}

// lz4Coder's output is that of LZ4_compress_fast in the reference
// implementation.
type lz4Coder struct{ tables lz4.CompressorCCompat }

func (*lz4Coder) bound(n int) int { return n }

func (c *lz4Coder) pack(dst, src []byte) int {
	n, err := c.tables.CompressBlock(src, dst[:len(src)-1])
	if err != nil || n == 0 { // it does not fit
		return len(src)
	}
	return n
}

func (*lz4Coder) unpack(dst, src []byte) bool {
	n, err := lz4.UncompressBlock(src, dst)
	return err == nil && n == len(dst)
}

// s2Coder needs no state: the library lends its tables.
type s2Coder struct{}

func (s2Coder) bound(n int) int { return s2.MaxEncodedLen(n) }

func (s2Coder) pack(dst, src []byte) int { return len(s2.Encode(dst, src)) }

func (s2Coder) unpack(dst, src []byte) bool {
	n, err := s2.DecodedLen(src)
	if err != nil || n != len(dst) {
		return false
	}
	_, err = s2.Decode(dst, src)
	return err == nil
}

// zstdCoder makes its two halves when they are first used: each takes up to a
// few frames of memory.
type zstdCoder struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func (c *zstdCoder) bound(n int) int { return c.enc().MaxEncodedSize(n) }

func (c *zstdCoder) pack(dst, src []byte) int { return len(c.enc().EncodeAll(src, dst[:0])) }

func (c *zstdCoder) unpack(dst, src []byte) bool {
	p, err := c.dec().DecodeAll(src, dst[:0:len(dst)])
	return err == nil && len(p) == len(dst)
}

func (c *zstdCoder) enc() *zstd.Encoder {
	if c.encoder == nil {
		c.encoder = must(zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), // the frame's tag is behind it
			zstd.WithWindowSize(maxFrameSize),
			zstd.WithLowerEncoderMem(true)))
	}
	return c.encoder
}

func (c *zstdCoder) dec() *zstd.Decoder {
	if c.decoder == nil {
		c.decoder = must(zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxFrameSize),
			zstd.WithDecodeAllCapLimit(true)))
	}
	return c.decoder
}

// must is for options that are the same in every call.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
