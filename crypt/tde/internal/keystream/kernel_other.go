//go:build !amd64 && !arm64

package keystream

// vectors is empty: here plain does all the work.
func vectors() []instructions { return nil }
