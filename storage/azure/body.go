package azure

import (
	"errors"
	"io"
	"sync"

	"walarchive/storage"
)

var errOver = errors.New("the put is over")

// lentBody is a Put's body for as long as the Put lasts: net/http may go on
// reading a request's body after the answer came. It remembers whether the
// body itself failed.
type lentBody struct {
	size int64

	mu   sync.Mutex
	body io.ReadSeeker // nil: taken back
	err  error
}

func lend(body io.ReadSeeker) *lentBody {
	return &lentBody{size: storage.BodySize(body), body: body}
}

func (b *lentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body == nil {
		return 0, errOver
	}
	n, err := b.body.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

func (b *lentBody) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body == nil {
		return 0, errOver
	}
	n, err := b.body.Seek(offset, whence)
	if err != nil {
		b.err = err
	}
	return n, err
}

// Size is the body's; see storage.BodySize.
func (b *lentBody) Size() int64 { return b.size }

func (b *lentBody) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *lentBody) takeBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.body = nil
}
