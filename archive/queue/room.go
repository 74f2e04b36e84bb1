package queue

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// chunkSize is the piece, in bytes, in which room is given out.
const chunkSize = 256 << 10

// Room says where what was fetched ahead may lie.
type Room struct {
	Memory int64            // bytes
	Take   func(int64) bool // of a budget shared with others; nil: there is none
	Return func(int64)

	Spool      string // directory outside the data directory, made if need be
	SpoolBytes int64
}

// errNoRoom: neither memory nor spool have any left.
var errNoRoom = errors.New("no room is left for what is fetched ahead")

// room is what is taken of a Room.
type room struct {
	Room

	mu            sync.Mutex
	memory, spool int64    // bytes taken
	free          [][]byte // chunks to use again; not counted as taken
}

// chunk gives out chunkSize bytes of memory, nil if there are none left.
func (r *room) chunk() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.memory+chunkSize > r.Memory || r.Take != nil && !r.Take(chunkSize) {
		return nil
	}
	r.memory += chunkSize
	if last := len(r.free) - 1; last >= 0 {
		c := r.free[last]
		r.free = r.free[:last]
		return c
	}
	return make([]byte, chunkSize)
}

func (r *room) giveBack(chunks [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int64(len(chunks)) * chunkSize
	r.memory -= n
	if r.Return != nil {
		r.Return(n)
	}
	if r.free = append(r.free, chunks...); r.memory == 0 {
		r.free = nil
	}
}

// used is how many bytes are taken of memory and spool.
func (r *room) used() (memory, spool int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory, r.spool
}

// takeSpool reserves n bytes of the spool.
func (r *room) takeSpool(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spool+n > r.SpoolBytes {
		return false
	}
	r.spool += n
	return true
}

func (r *room) returnSpool(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spool -= n
}

// file makes a file in the spool that has no name any more: nothing is left of
// it when the process ends, however that happens.
func (r *room) file() (*os.File, error) {
	if err := os.MkdirAll(r.Spool, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(r.Spool, ".ahead-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("%w; %w", err, f.Close())
	}
	return f, nil
}
