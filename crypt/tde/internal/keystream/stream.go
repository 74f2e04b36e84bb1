// Package keystream makes the key stream of pg_tde's WAL encryption and
// combines it with data, many AES blocks at a time. Block b of a stream is
//
//	AES(key, prefix || le32(b))
//
// The counter is little-endian, which is why cipher.NewCTR does not fit, and
// one cipher.Block.Encrypt per 16 bytes is a tenth as fast as what is here.
// What prefix and key are is for package tde to say.
//
// A kernel combines whole batches of blocks; there is one per instruction set,
// and a portable one over crypto/aes:
//
//	vaes   amd64 with VAES and AVX-512: 32 blocks at once
//	aesni  amd64 with AES-NI: 8 blocks at once
//	aese   arm64 with the AES extension: 8 blocks at once
//	plain  everywhere
//
// All run in constant time, plain as far as crypto/aes does. None is a module
// validated for FIPS 140, nor is the key stream an approved mode of AES; as
// with crypto/aes, GODEBUG=fips140 changes nothing here.
package keystream

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
)

// Stream is one key stream. It is safe for concurrent use.
type Stream struct {
	kernel kernel
	prefix [12]byte
}

// New starts a stream under a key of 16 or 32 bytes (else aes.KeySizeError)
// with the fastest kernel of this machine. It keeps no reference to key.
func New(key []byte, prefix [12]byte) (*Stream, error) {
	k, err := best(key)
	return &Stream{k, prefix}, err
}

const (
	// batch is what kernels take a multiple of, in bytes.
	batch = 32 * aes.BlockSize
	// stretch is how much a kernel is given at once, in bytes. The collector
	// cannot interrupt a kernel: this is some ten microseconds of waiting.
	stretch = 256 << 10
)

// XOR combines p with the bytes of the stream from offset off on, at most
// 64 GiB. What is not a whole batch is combined with a batch of bare stream.
func (s *Stream) XOR(p []byte, off int64) {
	var counter [aes.BlockSize]byte
	var bare []byte
	for len(p) > 0 {
		counter = s.counter(off / aes.BlockSize)
		skip, n := int(off%aes.BlockSize), min(len(p), stretch)&^(batch-1)
		if skip == 0 && n > 0 {
			s.kernel.xor(&counter, p[:n])
		} else {
			bare = append(bare[:0], zeros[:]...)
			s.kernel.xor(&counter, bare)
			n = subtle.XORBytes(p, p, bare[skip:])
		}
		p, off = p[n:], off+int64(n)
	}
}

var zeros [batch]byte

// counter is what AES turns into block b of the stream.
func (s *Stream) counter(b int64) (c [aes.BlockSize]byte) {
	copy(c[:], s.prefix[:])
	binary.LittleEndian.PutUint32(c[12:], uint32(b))
	return c
}

// Wipe overwrites the key; of the plain kernel it only lets go. XOR panics from
// then on.
func (s *Stream) Wipe() { s.kernel.wipe() }
