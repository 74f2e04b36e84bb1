package tde

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// stream is the key stream of one entry in one segment.
type stream struct {
	blocks ecb
	prefix [12]byte
}

func newStream(key crypt.Key, baseIV [16]byte, seg wal.Segment) (stream, error) {
	blocks, err := newECB(key)
	return stream{blocks, streamPrefix(baseIV, seg.Timeline, seg.No)}, err
}

// streamPrefix is the fixed part of a segment's counter blocks. Only the low
// 16 bits of the timeline count, and the last four bytes of the base IV not
// at all.
func streamPrefix(baseIV [16]byte, t wal.Timeline, no wal.SegmentNo) (prefix [12]byte) {
	be := binary.BigEndian
	low, carry := bits.Add64(be.Uint64(baseIV[4:])&^1, uint64(no), 0)
	high := be.Uint32(baseIV[:]) + uint32(t)<<16 + uint32(carry)
	be.PutUint32(prefix[:], high)
	be.PutUint64(prefix[4:], low)
	return prefix
}

// chunk is how much key stream is made at a time, in bytes: small enough for
// the first-level cache.
const chunk = 4096

// xor combines p, bytes from offset off of the segment on, with the stream.
func (s *stream) xor(p []byte, off int64) {
	buf := make([]byte, min(chunk, (len(p)+2*aes.BlockSize-1)&^(aes.BlockSize-1)))
	for len(p) > 0 {
		skip := int(off % aes.BlockSize)
		n := min(len(p), len(buf)-skip)
		blocks := buf[:(skip+n+aes.BlockSize-1)&^(aes.BlockSize-1)]
		s.counters(blocks, uint32(off/aes.BlockSize))
		s.blocks.encrypt(blocks)
		subtle.XORBytes(p[:n], p[:n], blocks[skip:])
		p, off = p[n:], off+int64(n)
	}
}

// counters fills buf with counter blocks, the first with number n. The number
// is little-endian, which is why cipher.NewCTR does not fit.
func (s *stream) counters(buf []byte, n uint32) {
	for ; len(buf) >= aes.BlockSize; buf = buf[aes.BlockSize:] {
		copy(buf, s.prefix[:])
		binary.LittleEndian.PutUint32(buf[12:], n)
		n++
	}
}

// ecb encrypts many independent blocks under one key. It is the place for an
// implementation that takes several of them at once.
type ecb struct{ block cipher.Block }

func newECB(key crypt.Key) (ecb, error) {
	block, err := aes.NewCipher(key.Bytes())
	return ecb{block}, err
}

// encrypt replaces each block of p, which holds whole blocks.
func (e ecb) encrypt(p []byte) {
	for ; len(p) >= aes.BlockSize; p = p[aes.BlockSize:] {
		e.block.Encrypt(p[:aes.BlockSize], p[:aes.BlockSize])
	}
}
