package crypt

import (
	"crypto/fips140"
	"encoding/binary"
)

// Processors that have the SHA extensions have the other instructions too.
var hasSHA = cpuid7()>>29&1 == 1

// sum2 is SHA-256 of a and of b, of one length in whole blocks. ok is false
// where crypto/sha256 is to do it: without the instructions, and where only
// validated code may.
func sum2(a, b []byte) (x, y [32]byte, ok bool) {
	if !hasSHA || fips140.Enabled() {
		return x, y, false
	}
	const block, stretch = 64, 1024 // blocks between two chances to be interrupted
	states := [2][8]uint32{initial, initial}
	bits := uint64(len(a)) * 8
	for len(a) > 0 {
		n := min(len(a), stretch*block)
		blocks2(&states, &a[0], &b[0], n/block)
		a, b = a[n:], b[n:]
	}
	end := [block]byte{0: 0x80}
	binary.BigEndian.PutUint64(end[block-8:], bits)
	blocks2(&states, &end[0], &end[0], 1)
	for i := range initial {
		binary.BigEndian.PutUint32(x[4*i:], states[0][i])
		binary.BigEndian.PutUint32(y[4*i:], states[1][i])
	}
	return x, y, true
}

// initial is the initial hash value of FIPS 180-4, section 5.3.3.
var initial = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// blocks2 adds n blocks of a to the first state, and of b to the second.
//
//go:noescape
func blocks2(states *[2][8]uint32, a, b *byte, n int)

// cpuid7 is EBX of CPUID leaf 7, zero on processors without that leaf.
func cpuid7() (ebx uint32)
