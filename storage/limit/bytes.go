package limit

import (
	"context"
	"io"
	"iter"

	"golang.org/x/time/rate"

	"walarchive/storage"
)

// A Line is what several buckets share: so many bytes a second in all.
type Line struct{ limiter *rate.Limiter }

// piece is how many bytes are waited for at once, so that many readers of a
// slow line all go on, and none is silent for long.
const piece = 64 << 10

// NewLine is a line of perSecond bytes; 0 is no bound.
func NewLine(perSecond int64) *Line {
	if perSecond <= 0 {
		return &Line{rate.NewLimiter(rate.Inf, piece)}
	}
	return &Line{rate.NewLimiter(rate.Limit(perSecond), piece)}
}

// Bytes keeps what is read from b to the line. What is written is not counted:
// in bulk it is read from somewhere first.
func (l *Line) Bytes(b storage.Bucket) storage.Bucket {
	if l.limiter.Limit() == rate.Inf {
		return b
	}
	return &slowed{b, l}
}

type slowed struct {
	next storage.Bucket
	line *Line
}

var _ storage.Bucket = (*slowed)(nil)

func (s *slowed) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := s.next.Get(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	return &slowBody{r, ctx, name, s.line}, nil
}

func (s *slowed) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	return s.next.Put(ctx, name, body)
}

func (s *slowed) Stat(ctx context.Context, name string) (storage.Info, error) {
	return s.next.Stat(ctx, name)
}

func (s *slowed) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return s.next.List(ctx, prefix, after)
}

func (s *slowed) Delete(ctx context.Context, name string) error { return s.next.Delete(ctx, name) }

// slowBody is a Get's body that waits for its share of the line behind each
// piece.
type slowBody struct {
	io.ReadCloser
	ctx  context.Context
	name string
	line *Line
}

func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), piece)])
	if e := b.line.limiter.WaitN(b.ctx, n); e != nil && err == nil {
		err = &storage.Error{Op: "get", Name: b.name, Err: context.Cause(b.ctx)}
		if b.ctx.Err() == nil { // it would come after the deadline
			err = &storage.Error{Op: "get", Name: b.name, Err: context.DeadlineExceeded}
		}
	}
	return n, err
}
