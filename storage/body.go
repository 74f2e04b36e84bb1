package storage

import (
	"io"
)

// BodySize is the number of bytes in a Put's body if it says so, by a method
// Size() int64 as bytes.Reader has it, and otherwise -1.
func BodySize(body io.Reader) int64 {
	if s, ok := body.(interface{ Size() int64 }); ok {
		return s.Size()
	}
	return -1
}

// CheckSize is for backends that have read n bytes of a Put's body, to its
// end: ErrInvalid if the body had said that there are more or fewer.
func CheckSize(body io.Reader, n int64) error {
	if size := BodySize(body); size >= 0 && n != size {
		return invalid("the body has %d bytes and not the %d that it said", n, size)
	}
	return nil
}

// notedBody remembers that the body itself failed.
type notedBody struct {
	body   io.ReadSeeker
	failed bool
}

func (b *notedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.failed = b.failed || err != nil && err != io.EOF
	return n, err
}

func (b *notedBody) Seek(offset int64, whence int) (int64, error) {
	n, err := b.body.Seek(offset, whence)
	b.failed = b.failed || err != nil
	return n, err
}

// Size is the body's; see BodySize.
func (b *notedBody) Size() int64 { return BodySize(b.body) }
