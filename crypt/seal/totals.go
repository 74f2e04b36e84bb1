package seal

import (
	"encoding/binary"

	"walarchive/crypt"
)

// HeadSize bytes from the start of any object hold its header and facts; an
// object that is shorter is wholly in them.
const HeadSize = preambleSize + maxHeader + frameOverhead + maxFacts

// TailSize bytes at the end of any object hold its final frame.
const TailSize = frameOverhead + totalsSize

// Totals is what the final frame says of the whole object.
type Totals struct {
	Frames uint64       // data frames
	Plain  uint64       // bytes of plaintext
	Sealed uint64       // bytes of the sealed object
	Digest crypt.Digest // of the plaintext, as the writer gave or computed it
}

func (t Totals) encode() []byte {
	p := make([]byte, 0, totalsSize)
	p = binary.BigEndian.AppendUint64(p, t.Frames)
	p = binary.BigEndian.AppendUint64(p, t.Plain)
	p = binary.BigEndian.AppendUint64(p, t.Sealed)
	return append(p, t.Digest[:]...)
}

func parseTotals(p []byte) Totals {
	return Totals{
		Frames: binary.BigEndian.Uint64(p),
		Plain:  binary.BigEndian.Uint64(p[8:]),
		Sealed: binary.BigEndian.Uint64(p[16:]),
		Digest: crypt.Digest(p[24:totalsSize]),
	}
}

// CheckEnd verifies that the object is complete in a store without reading its
// data frames: size is its size there, tail its last bytes, TailSize of them or
// more. That the data frames are whole it does not say.
func (r *Reader) CheckEnd(size int64, tail []byte) (Totals, error) {
	if len(tail) < TailSize {
		return Totals{}, corrupt("it ends too early")
	}
	p := append([]byte(nil), tail[len(tail)-TailSize:]...)
	head, err := parseFrameHead(p, r.header)
	if err != nil {
		return Totals{}, err
	}
	if head.kind != finalFrame {
		return Totals{}, corrupt("it has no end")
	}
	plain := make([]byte, totalsSize)
	if err := r.suite.open(r.suite.newMAC(), plain, p, head, nil); err != nil {
		return Totals{}, err
	}
	t := parseTotals(plain)
	if t.Frames != head.number-1 || t.Sealed != uint64(size) {
		return Totals{}, corrupt("its totals do not agree with it")
	}
	return t, nil
}
