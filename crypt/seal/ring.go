package seal

// A ring works on frames in parallel and gives them back in order. It starts
// one goroutine for each frame, which ends with its work: a ring that is
// dropped half-way leaves nothing behind.
type ring struct {
	slots []*slot // made when first used, at most limit
	limit int
	first int // the oldest busy slot
	busy  int
}

// A slot holds one frame in the works, and its buffers for the next one.
type slot struct {
	head   frameHead
	plain  []byte // the frame's plaintext: in own, or memory of the caller's
	sealed []byte // the whole frame as stored
	err    error
	own    []byte
	coder  coder // made when first used
	done   chan struct{}
}

// use is the slot's coder of an object's codec; for None there is none.
func (s *slot) use(codec Codec) coder {
	if s.coder == nil && codec != None {
		s.coder = codec.coder()
	}
	return s.coder
}

func (r *ring) full() bool { return r.busy == r.limit }

// next is the slot that start will take. The ring must not be full.
func (r *ring) next() *slot {
	i := (r.first + r.busy) % r.limit
	if i == len(r.slots) {
		r.slots = append(r.slots, &slot{done: make(chan struct{}, 1)})
	}
	return r.slots[i]
}

// start does work on the next slot, in the background.
func (r *ring) start(work func(*slot)) {
	s := r.next()
	r.busy++
	go func() {
		work(s)
		s.done <- struct{}{}
	}()
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

// room returns n bytes, in p's memory if that has as many.
func room(p []byte, n int) []byte {
	if cap(p) < n {
		return make([]byte, n)
	}
	return p[:n]
}
