package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"walarchive/storage"
)

// Parts says in what parts bodies go up that are large or of unknown size.
type Parts struct {
	Size        int64 // of all parts but the last, in bytes, unless that makes too many
	Max         int   // how many parts the store takes for one object
	Concurrency int   // parts in memory at once, at least 1
}

// First reads the first part from the start of body. If that is all of body,
// whole is true, and body has the size that it said.
func (p Parts) First(body io.ReadSeeker) (part []byte, whole bool, err error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, false, err
	}
	part, err = readPart(body, make([]byte, p.sizeFor(storage.BodySize(body))))
	if err == io.EOF {
		return part, true, storage.CheckSize(body, int64(len(part)))
	}
	return part, false, err
}

// sizeFor is the size of all parts but the last, in bytes, for a body of the
// given size or an unknown one (-1).
func (p Parts) sizeFor(size int64) int64 {
	most := int64(p.Max)
	return max(p.Size, (size+most-1)/most)
}

// readPart fills data, or returns the shorter rest and io.EOF where the body
// ends.
func readPart(body io.Reader, data []byte) ([]byte, error) {
	n, err := io.ReadFull(body, data)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return data[:n], err
}

// Send calls send for the first part, which is part, and for each of the rest
// of body, and returns how many there were. The parts are numbered from 0. As
// many calls run at once as Concurrency says; the first that fails ends the
// context of the others and decides the error. All have returned when Send
// does. A body that has not the size that it said is an error, and so is one
// of more than Max parts: storage.ErrTooLarge.
func (p Parts) Send(ctx context.Context, part []byte, body io.Reader, send func(ctx context.Context, number int, data []byte) error) (int, error) {
	group := newSenders(ctx, p.Concurrency)
	defer group.cancel(nil)
	size, total, number := int64(len(part)), int64(0), 0
	var err error
	for len(part) > 0 && group.ctx.Err() == nil {
		total += int64(len(part))
		group.send(number, part, send)
		number++
		if err == io.EOF {
			break
		}
		part, err = p.next(number, group.buffer(size), body)
		if err != nil && err != io.EOF {
			return 0, errors.Join(err, group.wait())
		}
	}
	if err := group.wait(); err != nil {
		return 0, err
	}
	return number, storage.CheckSize(body, total)
}

// next reads the part that gets a number.
func (p Parts) next(number int, buffer []byte, body io.Reader) ([]byte, error) {
	part, err := readPart(body, buffer)
	if number == p.Max && len(part) > 0 {
		return nil, storage.Classify(fmt.Errorf("more than %d parts of %d bytes", p.Max, len(buffer)),
			storage.ErrTooLarge, "larger parts allow larger objects")
	}
	return part, err
}

// senders send parts, as many at once as there are buffers.
type senders struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	group  sync.WaitGroup
	free   chan []byte // used buffers, and nil for those that are still to be made
}

func newSenders(ctx context.Context, n int) *senders {
	s := &senders{free: make(chan []byte, n)}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	for range n - 1 {
		s.free <- nil
	}
	return s
}

func (s *senders) send(number int, part []byte, send func(ctx context.Context, number int, data []byte) error) {
	s.group.Go(func() {
		defer func() { s.free <- part }()
		if err := send(s.ctx, number, part); err != nil {
			s.cancel(err)
		}
	})
}

// buffer waits for a free buffer. All have size bytes.
func (s *senders) buffer(size int64) []byte {
	if b := <-s.free; b != nil {
		return b[:size]
	}
	return make([]byte, size)
}

// wait waits for all, and returns the first error.
func (s *senders) wait() error {
	s.group.Wait()
	return context.Cause(s.ctx)
}
