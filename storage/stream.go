package storage

import (
	"context"
	"io"
	"iter"
	"sync"
)

// lentBody is a Put's body for as long as the Put is waited for.
type lentBody struct {
	watch *watch
	size  int64

	mu   sync.Mutex
	body io.ReadSeeker // nil: taken back
}

func (b *lentBody) Read(p []byte) (n int, err error) {
	err = b.use(func(body io.ReadSeeker) error {
		n, err = body.Read(p)
		return err
	})
	return n, err
}

func (b *lentBody) Seek(offset int64, whence int) (n int64, err error) {
	err = b.use(func(body io.ReadSeeker) error {
		n, err = body.Seek(offset, whence)
		return err
	})
	return n, err
}

// Size is the body's; see BodySize.
func (b *lentBody) Size() int64 { return b.size }

func (b *lentBody) use(f func(io.ReadSeeker) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body == nil {
		return context.Canceled // nobody waits for this Put any more
	}
	b.watch.progress()
	defer b.watch.progress()
	return f(b.body)
}

func (b *lentBody) takeBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.body = nil
}

// readAhead is how many bytes a timedBody asks for at once.
const readAhead = 256 << 10

// timedBody is a Get's body whose reads are waited for. They go to a buffer:
// one that was left behind must not write into the caller's.
type timedBody struct {
	watch *watch
	body  io.ReadCloser
	buf   []byte
	rest  []byte // of buf, still to be read
	err   error  // after rest
}

// newTimedBody is for a body of n bytes, or unknown length if n < 0.
func newTimedBody(w *watch, body io.ReadCloser, n int64) *timedBody {
	if n < 0 || n > readAhead {
		n = readAhead
	}
	return &timedBody{watch: w, body: body, buf: make([]byte, max(n, 1))}
}

func (b *timedBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *timedBody) fill() {
	b.rest, b.err = await(b.watch, b.watch.t.limits.Progress, func() ([]byte, error) {
		n, err := b.body.Read(b.buf)
		return b.buf[:n], err
	}, func([]byte) { closeBody(b.body) })
}

// Close closes the body; if a Read was left behind, as soon as that returns.
func (b *timedBody) Close() error {
	defer b.watch.end()
	if b.watch.left {
		return nil
	}
	closing := start(func() (struct{}, error) { return struct{}{}, b.body.Close() }, nil, func() {})
	_, err := closing.wait(b.watch, b.watch.t.limits.Answer)
	return err
}

// closeBody closes what nobody reads. There is nobody to tell an error either.
func closeBody(body io.ReadCloser) {
	if body != nil {
		_ = body.Close()
	}
}

// pulled is a listing whose objects are waited for one by one.
type pulled struct {
	watch *watch
	pull  func() (Info, error, bool)
	end   func()
}

type pulledInfo struct {
	info Info
	ok   bool // false: the list is at its end
}

func pull(w *watch, list iter.Seq2[Info, error]) *pulled {
	next, stop := iter.Pull2(list)
	return &pulled{w, next, stop}
}

func (p *pulled) next() (pulledInfo, error) {
	info, err, ok := p.pull()
	return pulledInfo{info, ok}, err
}

// stop ends the listing; if a call was left behind, that one does when it
// returns.
func (p *pulled) stop() {
	if p.watch.left {
		return
	}
	stopping := start(func() (struct{}, error) { p.end(); return struct{}{}, nil }, nil, func() {})
	_, _ = stopping.wait(p.watch, p.watch.t.limits.Answer)
}
