package seal

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"walarchive/crypt"
)

var errClosed = errors.New("seal: the writer is closed")

// PieceSize is how many bytes of plaintext are sealed at a time: whole frames,
// and two leaves of the digest, which is faster than one.
const PieceSize = 2 * crypt.LeafSize

// A Writer seals what is written to it, pieces in parallel, and passes them on
// in order. It holds at most two pieces of memory for each of its workers.
type Writer struct {
	w         io.Writer
	suite     *suite
	codec     Codec
	frameSize int
	ring      ring
	pending   []byte // the open piece, in memory of the ring's next slot
	totals    Totals
	digester  *crypt.Digester // nil if the digest was given
	err       error
}

// NewWriter begins an object on w: it writes header and facts. key is the
// epoch's seal key, facts are at most 64 KiB. Options that no reader would
// accept give ErrOptions.
func NewWriter(w io.Writer, key crypt.Key, facts []byte, o Options) (*Writer, error) {
	if err := checkFacts(facts); err != nil {
		return nil, err
	}
	sw, raw, err := begin(w, key, o)
	if err != nil {
		return nil, err
	}
	sw.emit(raw)
	sw.emit(sealRaw(sw.suite, 0, factsFrame, facts))
	if sw.err != nil {
		return nil, sw.err
	}
	return sw, nil
}

// begin makes a Writer that has written nothing, and its object's bytes up to
// the header's end.
func begin(w io.Writer, key crypt.Key, o Options) (*Writer, []byte, error) {
	h, err := o.header()
	if err != nil {
		return nil, nil, err
	}
	raw, err := h.encode()
	if err != nil {
		return nil, nil, err
	}
	s, err := newSuite(key, h, raw)
	if err != nil {
		return nil, nil, err
	}
	sw := &Writer{w: w, suite: s, codec: h.Codec, frameSize: h.FrameSize, ring: ring{limit: o.Workers, memory: o.Memory}}
	sw.ring.work = sw.seal
	if sw.totals.Digest = o.Digest; o.Digest.IsZero() {
		sw.digester = new(crypt.Digester)
	}
	return sw, raw, nil
}

func checkFacts(facts []byte) error {
	if len(facts) > maxFacts {
		return fmt.Errorf("%w: %d bytes of facts, more than %d", ErrOptions, len(facts), maxFacts)
	}
	return nil
}

// Write seals p. It keeps nothing of p once it returns.
func (w *Writer) Write(p []byte) (int, error) {
	// A p that fills all workers is read where it is. Smaller ones are copied,
	// so that the caller can make the next while pieces are sealed.
	inPlace := len(p) >= w.ring.limit*PieceSize
	n := 0
	for n < len(p) && w.err == nil {
		piece := p[n : n+min(len(p)-n, PieceSize-len(w.pending))]
		if inPlace && len(piece) == PieceSize {
			w.start(piece)
		} else {
			w.open(len(piece))
			w.pending = append(w.pending, piece...)
			w.fill()
		}
		n += len(piece)
	}
	for inPlace && w.ring.busy > 0 {
		w.finish()
	}
	return n, w.err
}

// Room is memory of the Writer's own for the plaintext that follows: what is
// left of a piece, PieceSize bytes if all before it were filled. Content that
// is made there and handed over by Commit is sealed without being copied.
func (w *Writer) Room() []byte {
	w.open(PieceSize - len(w.pending))
	return w.pending[len(w.pending):PieceSize]
}

// Commit seals the first n bytes of what Room returned, which was the call
// before.
func (w *Writer) Commit(n int) error {
	w.pending = w.pending[:len(w.pending)+n]
	w.fill()
	return w.err
}

// Close seals what is left and the final frame. Only then is the object whole.
// It does not close the writer below.
func (w *Writer) Close() error {
	w.flush()
	if w.err != nil {
		return w.err
	}
	w.totals.Sealed += TailSize
	end := sealRaw(w.suite, w.totals.Frames+1, finalFrame, w.totals.encode())
	if _, err := w.w.Write(end); err != nil {
		w.err = err
		return err
	}
	w.err = errClosed
	return nil
}

// Totals says what the object holds; complete after Close.
func (w *Writer) Totals() Totals { return w.totals }

// open sees that the open piece has room for n bytes more.
func (w *Writer) open(n int) {
	s := w.free()
	if len(w.pending) == 0 {
		w.pending = s.own[:0]
	}
	if cap(w.pending)-len(w.pending) < n {
		w.pending = slices.Grow(w.pending, n)
	}
	s.own = w.pending
}

// fill starts the open piece once it is full.
func (w *Writer) fill() {
	if len(w.pending) == PieceSize {
		w.start(w.pending)
	}
}

// start seals plain as the next data frames, in the background.
func (w *Writer) start(plain []byte) {
	s := w.free()
	w.pending = nil
	s.plain, s.number = plain, w.totals.Frames+1
	w.totals.Frames += uint64(w.frames(len(plain)))
	w.totals.Plain += uint64(len(plain))
	w.ring.start()
}

// free is the ring's next slot, made free if need be.
func (w *Writer) free() *slot {
	if w.ring.full() {
		w.finish()
	}
	return w.ring.next()
}

// seal hashes a slot's plaintext and makes its frames.
func (w *Writer) seal(s *slot) {
	if s.mac == nil {
		s.mac = w.suite.newMAC()
	}
	if w.digester != nil {
		s.sums = crypt.HashLeaves(s.sums[:0], s.plain)
	}
	c := s.use(w.codec)
	s.sealed = room(s.sealed, w.bound(c, len(s.plain)))
	n, number := 0, s.number
	for frame := range slices.Chunk(s.plain, w.frameSize) {
		n += w.sealFrame(s.sealed[n:], s.mac, c, number, frame)
		number++
	}
	s.sealed = s.sealed[:n]
}

// frames is the number of data frames that n bytes of plaintext make.
func (w *Writer) frames(n int) int { return (n + w.frameSize - 1) / w.frameSize }

// bound is the room that sealing n bytes of plaintext wants.
func (w *Writer) bound(c coder, n int) int {
	size := n + w.frames(n)*frameOverhead
	if c != nil {
		size += c.bound(w.frameSize) - w.frameSize
	}
	return size
}

// sealFrame compresses plain, if that helps, makes its frame in p and returns
// the frame's length.
func (w *Writer) sealFrame(p []byte, mac hash.Hash, c coder, number uint64, plain []byte) int {
	head, payload := frameHead{number, dataFrame, None, len(plain), len(plain)}, plain
	if c != nil {
		packed := p[frameHeadSize:]
		if n := c.pack(packed, plain); n < len(plain) {
			head.codec, head.cipher, payload = w.codec, n, packed[:n]
		}
	}
	return len(w.suite.seal(mac, p, head, payload))
}

// flush seals the open piece and waits for all.
func (w *Writer) flush() {
	if len(w.pending) > 0 && w.err == nil {
		w.start(w.pending)
	}
	for w.ring.busy > 0 {
		w.finish()
	}
	w.pending = nil
	w.ring.release()
	if w.digester != nil && w.err == nil {
		w.totals.Digest = w.digester.Sum()
	}
}

// finish writes out the oldest piece in the works.
func (w *Writer) finish() {
	s := w.ring.wait()
	if w.digester != nil {
		for _, sum := range s.sums {
			w.digester.Leaf(sum)
		}
	}
	w.emit(s.sealed)
}

func (w *Writer) emit(p []byte) {
	if w.err != nil {
		return
	}
	_, w.err = w.w.Write(p)
	w.totals.Sealed += uint64(len(p))
}

// sealRaw makes a facts or final frame.
func sealRaw(s *suite, number uint64, kind frameType, payload []byte) []byte {
	f := frameHead{number, kind, None, len(payload), len(payload)}
	return s.seal(s.newMAC(), make([]byte, frameOverhead+len(payload)), f, payload)
}
