// Package remote is what backends of stores reached over HTTP share: the
// transport, the lending of a Put's body to net/http, uploads in parts, and
// the shape of errors. It knows no protocol and no client library: what a
// store's answers mean, each backend says itself.
package remote

import (
	"context"
	"errors"
	"io"
	"sync"

	"walarchive/storage"
)

// Put checks name and has send send body, which it gets for as long as the
// Put lasts: net/http may go on reading a request's body after the answer
// came. If the body itself failed, that is the error. See Failure on classify.
func Put(ctx context.Context, name string, body io.ReadSeeker,
	send func(ctx context.Context, name string, body io.ReadSeeker) error, classify func(error) error) error {
	if err := storage.CheckName("put", name); err != nil {
		return err
	}
	lent := lend(body)
	defer lent.takeBack()
	err := send(ctx, name, lent)
	if err != nil && lent.failed() != nil {
		err = lent.failed()
	}
	if err != nil {
		return Failure(ctx, "put", name, err, classify)
	}
	return nil
}

var errOver = errors.New("the put is over")

// lentBody is a body that can be taken back. It remembers whether the body
// itself failed. Client libraries ask Seek where they are and where the end
// is, which it answers by itself: bodies need no more than to be rewound.
type lentBody struct {
	size int64

	mu   sync.Mutex
	body io.ReadSeeker // nil: taken back
	at   int64         // of body, from its start
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
	b.at += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

func (b *lentBody) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.body == nil:
		return 0, errOver
	case offset == 0 && whence == io.SeekCurrent:
		return b.at, nil
	case offset == 0 && whence == io.SeekEnd && b.size >= 0:
		return b.size, nil // they go back before they read
	}
	n, err := b.body.Seek(offset, whence)
	if err != nil {
		b.err = err
	}
	b.at = n
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
