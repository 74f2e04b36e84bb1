package keystream

import (
	"crypto/aes"

	"golang.org/x/sys/cpu"
)

// vectors lists what this processor can run, the fastest first.
func vectors() (sets []instructions) {
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VAES {
		sets = append(sets, instructions{"vaes", xorVAES})
	}
	if cpu.X86.HasAES && cpu.X86.HasSSE41 {
		sets = append(sets, instructions{"aesni", xorAESNI})
	}
	return sets
}

//go:noescape
func xorVAES(keys *schedule, rounds int, counter *[aes.BlockSize]byte, p []byte)

//go:noescape
func xorAESNI(keys *schedule, rounds int, counter *[aes.BlockSize]byte, p []byte)
