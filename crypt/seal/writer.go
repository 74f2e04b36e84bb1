package seal

import (
	"errors"
	"fmt"
	"io"

	"walarchive/crypt"
)

var errClosed = errors.New("seal: the writer is closed")

// A Writer seals what is written to it, frames in parallel, and passes them on
// in order. It holds at most two frames of memory for each of its workers.
type Writer struct {
	w         io.Writer
	suite     *suite
	codec     Codec
	frameSize int
	ring      ring
	pending   []byte // the open frame, in memory of the ring's next slot
	totals    Totals
	digester  *crypt.Digester // nil if the digest was given
	err       error
}

// NewWriter begins an object on w: it writes header and facts. key is the
// epoch's seal key, facts are at most 64 KiB. Options that no reader would
// accept give ErrOptions.
func NewWriter(w io.Writer, key crypt.Key, facts []byte, o Options) (*Writer, error) {
	if len(facts) > maxFacts {
		return nil, fmt.Errorf("%w: %d bytes of facts, more than %d", ErrOptions, len(facts), maxFacts)
	}
	h, err := o.header()
	if err != nil {
		return nil, err
	}
	raw, err := h.encode()
	if err != nil {
		return nil, err
	}
	s, err := newSuite(key, h, raw)
	if err != nil {
		return nil, err
	}
	sw := &Writer{w: w, suite: s, codec: h.Codec, frameSize: h.FrameSize, ring: ring{limit: o.Workers}}
	if sw.totals.Digest = o.Digest; o.Digest.IsZero() {
		sw.digester = new(crypt.Digester)
	}
	sw.emit(raw)
	sw.emit(sealRaw(s, 0, factsFrame, facts))
	if sw.err != nil {
		return nil, sw.err
	}
	return sw, nil
}

// Write seals p. It keeps nothing of p once it returns.
func (w *Writer) Write(p []byte) (int, error) {
	// A p that fills all workers is read where it is. Smaller ones are copied,
	// so that the caller can make the next while frames are sealed.
	inPlace := len(p) >= w.ring.limit*w.frameSize
	n := 0
	for n < len(p) && w.err == nil {
		chunk := p[n : n+min(len(p)-n, w.frameSize-len(w.pending))]
		if inPlace && len(chunk) == w.frameSize {
			w.start(chunk)
		} else {
			w.collect(chunk)
		}
		if w.digester != nil {
			_, _ = w.digester.Write(chunk)
		}
		n += len(chunk)
	}
	for inPlace && w.ring.busy > 0 {
		w.finish()
	}
	return n, w.err
}

// Close seals what is left and the final frame. Only then is the object whole.
// It does not close the writer below.
func (w *Writer) Close() error {
	if len(w.pending) > 0 && w.err == nil {
		w.start(w.pending)
	}
	for w.ring.busy > 0 {
		w.finish()
	}
	if w.err != nil {
		return w.err
	}
	if w.digester != nil {
		w.totals.Digest = w.digester.Sum()
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

// collect adds p to the open frame, which has room for it.
func (w *Writer) collect(p []byte) {
	s := w.free()
	if len(w.pending) == 0 {
		w.pending = s.own[:0]
	}
	w.pending = append(w.pending, p...)
	s.own = w.pending
	if len(w.pending) == w.frameSize {
		w.start(w.pending)
	}
}

// start seals plain as the next data frame, in the background.
func (w *Writer) start(plain []byte) {
	s := w.free()
	w.pending = nil
	w.totals.Frames++
	w.totals.Plain += uint64(len(plain))
	s.plain = plain
	s.head = frameHead{w.totals.Frames, dataFrame, None, len(plain), len(plain)}
	w.ring.start(w.seal)
}

// free is the ring's next slot, made free if need be.
func (w *Writer) free() *slot {
	if w.ring.full() {
		w.finish()
	}
	return w.ring.next()
}

// seal compresses a slot's plaintext, if that helps, and makes its frame.
func (w *Writer) seal(s *slot) {
	size := len(s.plain)
	payload := s.plain
	s.sealed = room(s.sealed, frameOverhead+size)
	if c := s.use(w.codec); c != nil {
		s.sealed = room(s.sealed, max(frameHeadSize+c.bound(size), frameOverhead+size))
		packed := s.sealed[frameHeadSize:]
		if n := c.pack(packed, s.plain); n < size {
			s.head.codec, s.head.cipher = w.codec, n
			payload = packed[:n]
		}
	}
	s.sealed = w.suite.seal(s.sealed, s.head, payload)
}

// finish writes out the oldest frame in the works.
func (w *Writer) finish() { w.emit(w.ring.wait().sealed) }

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
	return s.seal(make([]byte, frameOverhead+len(payload)), f, payload)
}
