//go:build !amd64

package crypt

// sum2 is for processors on which two hashes at once are faster.
func sum2([]byte, []byte) (x, y [32]byte, ok bool) { return x, y, false }
