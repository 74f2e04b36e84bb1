package queue

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"walarchive/storage"
)

// fetched is an object on its way from the store, or here. One may read while it
// is written. Its room is given back when both have let go of it: the fetch by
// ending, and the holder by drop.
type fetched struct {
	room   *room
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	grown  *sync.Cond
	chunks [][]byte // the first bytes
	file   *os.File // all bytes behind the chunks; nil: none
	n      int64    // bytes in both
	ended  bool     // the fetch
	err    error    // why it ended early
	users  int
}

func newFetched(ctx context.Context, r *room) *fetched {
	c := &fetched{room: r, users: 2}
	c.grown = sync.NewCond(&c.mu)
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// complete reports whether all of the object is here.
func (c *fetched) complete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended && c.err == nil
}

// drop lets go of the copy; a fetch that is not at its end ends early.
func (c *fetched) drop() {
	c.cancel()
	c.leave()
}

// leave gives the room back if this was the last user.
func (c *fetched) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users--; c.users > 0 {
		return
	}
	c.room.giveBack(c.chunks)
	if c.file != nil {
		c.room.returnSpool(c.inFile())
		_ = c.file.Close() // it has no name: its content goes with it
	}
}

func (c *fetched) inMemory() int64 { return min(c.n, int64(len(c.chunks))*chunkSize) }
func (c *fetched) inFile() int64   { return c.n - c.inMemory() }

// fetch copies the object.
func (c *fetched) fetch(b storage.Bucket, name string) (err error) {
	defer c.leave()
	defer func() { c.end(err) }()
	body, err := b.Get(c.ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	piece := make([]byte, chunkSize)
	for {
		n, err := io.ReadFull(body, piece)
		if e := c.write(piece[:n]); e != nil {
			return e
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func (c *fetched) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.err = true, err
	c.grown.Broadcast()
}

// write adds a piece, which is a whole chunk but for the last.
func (c *fetched) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if c.file == nil {
		if chunk := c.room.chunk(); chunk != nil {
			n := int64(len(p))
			copy(chunk, p)
			c.grow(n, func() { c.chunks = append(c.chunks, chunk) })
			return nil
		}
	}
	return c.spill(p)
}

// spill adds a piece to the file. Only the fetch itself writes c.file and c.n.
func (c *fetched) spill(p []byte) error {
	n := int64(len(p))
	if !c.room.takeSpool(n) {
		return errNoRoom
	}
	f, err := c.file, error(nil)
	if f == nil {
		f, err = c.room.file()
	}
	if err == nil {
		_, err = f.WriteAt(p, c.inFile())
	}
	if err != nil {
		c.room.returnSpool(n)
		if f != nil && c.file == nil {
			err = errors.Join(err, f.Close())
		}
		return err
	}
	c.grow(n, func() { c.file = f })
	return nil
}

func (c *fetched) grow(n int64, add func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add()
	c.n += n
	c.grown.Broadcast()
}

// read begins to read the copy, which is the reader's from now on. What cannot
// be had of it comes from b.
func (c *fetched) read(ctx context.Context, b storage.Bucket, name string) (io.ReadCloser, error) {
	r := &fetchedReader{fetched: c, ctx: ctx, bucket: b, name: name}
	r.stop = context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.grown.Broadcast()
	})
	if !r.await() { // an object that is missing is to be missing here, not in Read
		if err := r.turnToStore(); err != nil {
			_ = r.Close() // there is nothing open yet
			return nil, err
		}
	}
	return r, nil
}

type fetchedReader struct {
	*fetched
	ctx    context.Context
	bucket storage.Bucket
	name   string
	off    int64
	rest   io.ReadCloser // of the store, from off on, when the copy failed
	stop   func() bool
}

// await waits for more than off bytes, or the end; false if that came early.
func (r *fetchedReader) await() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.n <= r.off && !r.ended && r.ctx.Err() == nil {
		r.grown.Wait()
	}
	return r.n > r.off || r.ended && r.err == nil
}

func (r *fetchedReader) turnToStore() (err error) {
	if err := r.ctx.Err(); err != nil {
		return &storage.Error{Op: "get", Name: r.name, Err: err}
	}
	r.rest, err = r.bucket.Get(r.ctx, r.name, r.off, -1)
	return err
}

func (r *fetchedReader) Read(p []byte) (int, error) {
	if r.rest == nil && !r.await() {
		if err := r.turnToStore(); err != nil {
			return 0, err
		}
	}
	if r.rest != nil {
		return r.rest.Read(p)
	}
	n, err := r.readAt(p)
	r.off += int64(n)
	return n, err
}

// readAt reads what is here at off.
func (r *fetchedReader) readAt(p []byte) (int, error) {
	r.mu.Lock()
	memory, n, chunks, file := r.inMemory(), r.n, r.chunks, r.file
	r.mu.Unlock()
	switch {
	case r.off == n:
		return 0, io.EOF
	case r.off < memory:
		chunk := chunks[r.off/chunkSize]
		at := r.off % chunkSize
		return copy(p, chunk[at:min(chunkSize, memory-r.off+at)]), nil
	}
	return file.ReadAt(p[:min(int64(len(p)), n-r.off)], r.off-memory)
}

func (r *fetchedReader) Close() error {
	r.stop()
	r.drop()
	if r.rest != nil {
		return r.rest.Close()
	}
	return nil
}
