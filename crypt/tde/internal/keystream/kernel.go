package keystream

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// kernel is AES under one key, over counter blocks.
type kernel interface {
	// xor combines p, a multiple of batch, with the stream from counter on.
	xor(counter *[aes.BlockSize]byte, p []byte)
	// wipe overwrites what the kernel holds of the key. xor panics from then on.
	wipe()
}

// vector is a kernel in the machine's own instructions.
type vector struct {
	instructions
	keys   schedule
	rounds int
}

// instructions say how a vector kernel does its work. xor is given the round
// keys and their number without the first, 10 or 14.
type instructions struct {
	name string
	xor  func(keys *schedule, rounds int, counter *[aes.BlockSize]byte, p []byte)
}

func newVector(in instructions, key []byte) *vector {
	v := &vector{instructions: in, rounds: len(key)/4 + 6}
	v.keys.expand(key)
	return v
}

func (v *vector) xor(counter *[aes.BlockSize]byte, p []byte) {
	v.instructions.xor(&v.keys, v.rounds, counter, p)
}

func (v *vector) wipe() { *v = vector{} }

// plain is the kernel over crypto/aes.
type plain struct{ block cipher.Block }

func newPlain(key []byte) (*plain, error) {
	block, err := aes.NewCipher(key)
	return &plain{block}, err
}

func (k *plain) xor(counter *[aes.BlockSize]byte, p []byte) {
	stream := make([]byte, batch)
	for n := binary.LittleEndian.Uint32(counter[12:]); len(p) > 0; p = p[batch:] {
		for b := stream; len(b) > 0; b = b[aes.BlockSize:] {
			copy(b, counter[:12])
			binary.LittleEndian.PutUint32(b[12:], n)
			k.block.Encrypt(b, b)
			n++
		}
		subtle.XORBytes(p, p, stream)
	}
}

// wipe lets go of the key: crypto/aes has no way to overwrite it.
func (k *plain) wipe() { *k = plain{} }

// best is the fastest kernel of this machine.
func best(key []byte) (kernel, error) {
	if len(key) != 16 && len(key) != 32 {
		return nil, aes.KeySizeError(len(key))
	}
	if sets := vectors(); len(sets) > 0 {
		return newVector(sets[0], key), nil
	}
	return newPlain(key)
}
