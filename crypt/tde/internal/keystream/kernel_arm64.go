package keystream

import (
	"crypto/aes"

	"golang.org/x/sys/cpu"
)

// vectors lists what this processor can run, the fastest first.
func vectors() []instructions {
	if cpu.ARM64.HasAES {
		return []instructions{{"aese", xorAESE}}
	}
	return nil
}

//go:noescape
func xorAESE(keys *schedule, rounds int, counter *[aes.BlockSize]byte, p []byte)
