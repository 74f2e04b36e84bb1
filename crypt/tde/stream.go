package tde

import (
	"encoding/binary"
	"math/bits"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde/internal/keystream"
)

// newStream is the key stream of one entry in one segment.
func newStream(key crypt.Key, baseIV [16]byte, seg wal.Segment) (*keystream.Stream, error) {
	return keystream.New(key.Bytes(), streamPrefix(baseIV, seg.Timeline, seg.No))
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
