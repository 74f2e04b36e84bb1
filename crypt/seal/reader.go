package seal

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"walarchive/crypt"
)

// Expect is what an object must be to be taken for the one asked for.
type Expect struct {
	Kind, Name string
	Archive    crypt.ID
}

// KeyFunc finds the seal key of the epoch a header names. The header is not
// proven yet: h.Archive, h.Epoch and h.Wraps serve to find the key, and nothing
// else of it may be used.
type KeyFunc func(h *Header) (crypt.Key, error)

// A Reader opens an object, frames in parallel, and gives out plaintext of
// verified frames only, in order. It holds at most two frames of memory for
// each of GOMAXPROCS workers.
type Reader struct {
	r      io.Reader
	header *Header
	suite  *suite
	facts  []byte
	ring   ring
	number uint64 // of the frame to be read next
	sealed uint64 // bytes of the object read
	plain  uint64 // bytes of plaintext in the frames given back by the ring
	short  bool   // a data frame was not full: the final frame must follow
	last   bool   // no frame is to be read any more
	chunk  []byte // verified, not yet given out
	direct bool   // plaintext goes into rest, not into the slots' buffers
	rest   []byte
	totals Totals
	err    error
}

// Open reads and verifies header and facts of the object in r, and nothing
// behind them. An object that does not verify gives ErrCorrupt; an authentic
// one that is not the one wanted ErrMisplaced; one that this program does not
// know to open ErrVersion. Errors of key and of r come back as they are.
func Open(r io.Reader, want Expect, key KeyFunc) (*Reader, error) {
	h, raw, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	k, err := key(h)
	if err != nil {
		return nil, err
	}
	s, err := newSuite(k, h, raw)
	if err != nil {
		return nil, err
	}
	sr := &Reader{r: r, header: h, suite: s, sealed: uint64(len(raw)), ring: ring{limit: runtime.GOMAXPROCS(0)}}
	sr.ring.work = sr.open
	if err := sr.readFacts(); err != nil {
		return nil, err
	}
	if got := (Expect{h.Kind, h.Name, h.Archive}); got != want {
		return nil, fmt.Errorf("%w: it was sealed as %s %s of archive %v", ErrMisplaced, h.Kind, h.Name, h.Archive)
	}
	return sr, nil
}

// Header is the object's header. Do not change it.
func (r *Reader) Header() *Header { return r.header }

// Facts is the content of the facts frame.
func (r *Reader) Facts() []byte { return r.facts }

// Totals is the content of the final frame, known once Read gave io.EOF or
// ReadFull or WriteTo succeeded.
func (r *Reader) Totals() Totals { return r.totals }

// Read gives out plaintext. io.EOF means that the whole object was verified;
// any other end means that it was not, by ErrCorrupt or an error of the reader
// below.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.chunk) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// WriteTo writes all plaintext to w. Only if it returns no error was the whole
// object verified.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		for len(r.chunk) > 0 {
			n, err := w.Write(r.chunk)
			total += int64(n)
			r.chunk = r.chunk[n:]
			if err != nil {
				return total, err
			}
		}
		if err := r.next(); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}

// ReadFull fills p with the whole plaintext, without a buffer in between, and
// verifies the whole object. Plaintext of another length gives ErrCorrupt. On
// any error p is all zeros. Nothing must have been read before.
func (r *Reader) ReadFull(p []byte) error {
	err := errors.New("seal: ReadFull after another read")
	if r.number == 1 {
		err = r.readInto(p)
	}
	if err != nil {
		clear(p)
	}
	return err
}

func (r *Reader) readInto(p []byte) error {
	r.direct, r.rest = true, p
	err := r.next()
	for err == nil {
		err = r.next()
	}
	r.ring.drain()
	r.chunk = nil // it was given out in p
	switch {
	case err != io.EOF:
		return err
	case len(r.rest) > 0:
		return corrupt("%d bytes of plaintext, not %d", r.plain, len(p))
	}
	return nil
}

// next makes the next data frame's plaintext the chunk. io.EOF means that the
// object ended as it should.
func (r *Reader) next() error {
	if r.err != nil {
		return r.err
	}
	for !r.last && !r.ring.full() {
		r.start()
	}
	s := r.ring.wait()
	switch {
	case s.err != nil:
		r.err = s.err
	case s.head.kind == finalFrame:
		r.err = r.end(parseTotals(s.plain))
	default:
		r.chunk = s.plain
		r.plain += uint64(len(s.plain))
	}
	return r.err
}

// start reads a frame and has it opened in the background. What goes wrong
// waits in the ring until the frames before it are given out.
func (r *Reader) start() {
	s := r.ring.next()
	s.err = r.readData(s)
	r.last = s.err != nil || s.head.kind == finalFrame
	r.ring.start()
}

// open opens a slot's frame, if it was read.
func (r *Reader) open(s *slot) {
	if s.err != nil {
		return
	}
	if s.mac == nil {
		s.mac = r.suite.newMAC()
	}
	var c coder
	if s.head.codec != None {
		c = s.use(s.head.codec)
	}
	s.err = r.suite.open(s.mac, s.plain, s.sealed, s.head, c)
}

// readData reads a data frame or the final frame and finds memory for its
// plaintext.
func (r *Reader) readData(s *slot) error {
	if err := r.readFrame(s); err != nil {
		return err
	}
	n := s.head.plain
	switch {
	case s.head.kind == finalFrame:
		s.own = room(s.own, n)
		s.plain = s.own
		return nil
	case s.head.kind != dataFrame || r.short:
		return corrupt("frame %d is out of place", s.head.number)
	case r.direct && n > len(r.rest):
		return corrupt("more plaintext than there should be")
	case r.direct:
		s.plain, r.rest = r.rest[:n], r.rest[n:]
	default:
		s.own = room(s.own, n)
		s.plain = s.own
	}
	r.short = n < r.header.FrameSize
	return nil
}

func (r *Reader) readFacts() error {
	var s slot
	if err := r.readFrame(&s); err != nil {
		return err
	}
	if s.head.kind != factsFrame {
		return corrupt("no facts")
	}
	r.facts = make([]byte, s.head.plain)
	return r.suite.open(r.suite.newMAC(), r.facts, s.sealed, s.head, nil)
}

// readFrame reads the frame that follows, whatever its type, and checks what
// can be checked before its tag.
func (r *Reader) readFrame(s *slot) error {
	s.sealed = room(s.sealed, frameHeadSize)
	if err := readFull(r.r, s.sealed); err != nil {
		return err
	}
	var err error
	if s.head, err = parseFrameHead(s.sealed, r.header); err != nil {
		return err
	}
	if s.head.number != r.number {
		return corrupt("frame %d stands where frame %d should", s.head.number, r.number)
	}
	head := s.sealed
	s.sealed = room(head, frameOverhead+s.head.cipher)
	copy(s.sealed, head)
	r.number++
	r.sealed += uint64(len(s.sealed))
	return readFull(r.r, s.sealed[frameHeadSize:])
}

// end checks that the object ends here as its final frame says.
func (r *Reader) end(t Totals) error {
	if t.Frames != r.number-2 || t.Plain != r.plain || t.Sealed != r.sealed {
		return corrupt("its totals do not agree with it")
	}
	var behind [1]byte
	switch n, err := io.ReadFull(r.r, behind[:]); {
	case n > 0:
		return corrupt("bytes behind its end")
	case err != io.EOF:
		return err
	}
	r.totals = t
	return io.EOF
}
