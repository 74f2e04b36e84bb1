package keystream

import (
	"encoding/binary"
	"math/bits"
)

// schedule holds the round keys of AES (FIPS 197, section 5.2), four words
// each, the first byte of a word its lowest. The last round key ends the
// array: the 11 of AES-128 have their places in the last 11 of AES-256's 15,
// so that both end in the same ten rounds.
type schedule [15 * 4]uint32

// expand makes the round keys of a key of 16 or 32 bytes.
func (s *schedule) expand(key []byte) {
	nk := len(key) / 4
	w := s[len(s)-4*(nk+7):]
	for i := range nk {
		w[i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	rcon := uint32(1)
	for i := nk; i < len(w); i++ {
		t := w[i-1]
		switch {
		case i%nk == 0:
			t = subBytes(bits.RotateLeft32(t, -8)) ^ rcon
			rcon = double(rcon)
		case i%8 == 4 && nk == 8:
			t = subBytes(t)
		}
		w[i] = w[i-nk] ^ t
	}
}

// The functions below work on the four bytes of a word side by side. Nothing
// depends on the bytes in time: there is neither a table nor a branch.

// subBytes applies the S-box (FIPS 197, section 5.1.1): the inverse in
// GF(2^8), which is the 254th power, then an affine map.
func subBytes(x uint32) uint32 {
	square := multiply(x, x)
	inverse := square
	for range 6 {
		square = multiply(square, square)
		inverse = multiply(inverse, square)
	}
	y := inverse
	for n := 1; n <= 4; n++ {
		y ^= rotate(inverse, n)
	}
	return y ^ 0x63636363
}

const lowBits = 0x01010101

// multiply is the product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
func multiply(a, b uint32) (p uint32) {
	for i := 7; i >= 0; i-- {
		p = double(p) ^ a&(b>>i&lowBits*0xFF)
	}
	return p
}

func double(a uint32) uint32 {
	return a&(0x7F*lowBits)<<1 ^ a>>7&lowBits*0x1B
}

// rotate turns each byte left by n bits, 1 to 7.
func rotate(a uint32, n int) uint32 {
	low := uint32(0xFF) >> n * lowBits
	return a&low<<n | a&^low>>(8-n)
}
