package seal

import "encoding/binary"

const (
	frameHeadSize = 20
	tagSize       = 32
	frameOverhead = frameHeadSize + tagSize
	maxFacts      = 64 << 10
	totalsSize    = 56
)

type frameType uint8

const (
	factsFrame frameType = 0
	dataFrame  frameType = 1
	finalFrame frameType = 2
)

// frameHead is the first 20 bytes of a frame.
type frameHead struct {
	number        uint64
	kind          frameType
	codec         Codec
	plain, cipher int // bytes
}

// put writes f into the first frameHeadSize bytes of p.
func (f frameHead) put(p []byte) {
	binary.BigEndian.PutUint64(p, f.number)
	p[8] = byte(f.kind)
	p[9] = 0
	if f.kind == finalFrame {
		p[9] = 1
	}
	p[10] = byte(f.codec)
	p[11] = 0
	binary.BigEndian.PutUint32(p[12:], uint32(f.plain))
	binary.BigEndian.PutUint32(p[16:], uint32(f.cipher))
}

// parseFrameHead reads the frame head in p and checks it against what h
// allows, so that its lengths can be used. It stays unproven until the frame's
// tag verifies.
func parseFrameHead(p []byte, h *Header) (frameHead, error) {
	f := frameHead{
		number: binary.BigEndian.Uint64(p),
		kind:   frameType(p[8]),
		codec:  Codec(p[10]),
	}
	plain, cipher := binary.BigEndian.Uint32(p[12:]), binary.BigEndian.Uint32(p[16:])
	if !f.lengthsFit(plain, cipher, h) {
		return f, corrupt("frame of %d in %d bytes", plain, cipher)
	}
	f.plain, f.cipher = int(plain), int(cipher)
	var again [frameHeadSize]byte
	if f.put(again[:]); string(again[:]) != string(p[:frameHeadSize]) {
		return f, corrupt("frame flags")
	}
	return f, nil
}

// lengthsFit reports whether a frame of f's type and codec can have these
// lengths. It is false for types and codecs that do not exist.
func (f frameHead) lengthsFit(plain, cipher uint32, h *Header) bool {
	raw := f.codec == None && cipher == plain
	switch f.kind {
	case factsFrame:
		return raw && plain <= maxFacts
	case dataFrame:
		packed := f.codec != None && f.codec == h.Codec && 0 < cipher && cipher < plain
		return (raw || packed) && 0 < plain && plain <= uint32(h.FrameSize)
	case finalFrame:
		return raw && plain == totalsSize
	}
	return false
}
