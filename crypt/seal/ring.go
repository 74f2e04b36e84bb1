package seal

import (
	"crypto/sha256"
	"hash"
)

// A ring works on pieces of an object in parallel and gives them back in order.
// It starts one goroutine for each piece, which ends with its work: a ring that
// is dropped half-way leaves nothing behind.
type ring struct {
	slots  []*slot // made when first used, at most limit
	limit  int
	first  int // the oldest busy slot
	busy   int
	memory *Memory
	work   func(*slot)
}

// A slot holds one piece in the works, a frame to be opened or some to be
// sealed, and its buffers for the next one.
type slot struct {
	plain  []byte // in own, or memory of the caller's
	sealed []byte // the frames as stored
	own    []byte
	mac    hash.Hash
	coder  coder // made when first used
	codec  Codec // the coder's
	done   chan struct{}

	head frameHead // of the frame to be opened
	err  error     // of opening it

	number uint64              // of the first frame to be sealed
	sums   [][sha256.Size]byte // of the leaves that were sealed
}

// use is the slot's coder of an object's codec; for None there is none.
func (s *slot) use(codec Codec) coder {
	if s.codec != codec {
		s.coder, s.codec = codec.coder(), codec
	}
	return s.coder
}

func (r *ring) full() bool { return r.busy == r.limit }

// next is the slot that start will take. The ring must not be full.
func (r *ring) next() *slot {
	i := (r.first + r.busy) % r.limit
	if i == len(r.slots) {
		r.slots = append(r.slots, r.memory.slot())
	}
	return r.slots[i]
}

// start does the ring's work on the next slot, in the background.
func (r *ring) start() {
	s := r.next()
	r.busy++
	go r.do(s)
}

func (r *ring) do(s *slot) {
	r.work(s)
	s.done <- struct{}{}
}

// wait returns the oldest busy slot once its work is done. Its contents stay
// until the slot is next again. Something must be busy.
func (r *ring) wait() *slot {
	s := r.slots[r.first]
	<-s.done
	r.first = (r.first + 1) % r.limit
	r.busy--
	return s
}

// drain waits for all work.
func (r *ring) drain() {
	for r.busy > 0 {
		r.wait()
	}
}

// release gives the slots back to the memory they came from. Nothing may be
// busy.
func (r *ring) release() {
	for _, s := range r.slots {
		r.memory.giveSlot(s)
	}
	r.slots, r.first = nil, 0
}

// room returns n bytes, in p's memory if that has as many.
func room(p []byte, n int) []byte {
	if cap(p) < n {
		return make([]byte, n)
	}
	return p[:n]
}
