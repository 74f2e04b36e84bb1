package seal

import "walarchive/crypt"

// A Draft is an object sealed in memory whose facts come last, though they
// stand first in it: what they say is often known only when all of the content
// has been seen.
type Draft struct {
	w    *Writer
	head []byte // the object up to its header's end
	out  []byte // space for head and facts, then the frames
	mem  *Memory
}

// space is what a Draft leaves in front of its data frames.
const space = preambleSize + maxHeader + frameOverhead + maxFacts

// NewDraft begins an object of about size bytes of plaintext. Its errors are
// those of NewWriter.
func NewDraft(key crypt.Key, size int64, o Options) (*Draft, error) {
	d := &Draft{mem: o.Memory}
	var err error
	if d.w, d.head, err = begin(appender{d}, key, o); err != nil {
		return nil, err
	}
	d.out = append(d.mem.draft(int(Bound(size, maxFacts, o.FrameSize))), make([]byte, space)...)
	return d, nil
}

// appender puts frames behind one another in a Draft's memory.
type appender struct{ d *Draft }

func (a appender) Write(p []byte) (int, error) {
	a.d.out = append(a.d.out, p...)
	return len(p), nil
}

// Room and Commit are those of a Writer.
func (d *Draft) Room() []byte { return d.w.Room() }

// Commit seals the first n bytes of what Room returned.
func (d *Draft) Commit(n int) error { return d.w.Commit(n) }

// Write seals p. It keeps nothing of p once it returns.
func (d *Draft) Write(p []byte) (int, error) { return d.w.Write(p) }

// Digest ends the content and returns its digest. Nothing may follow but Finish
// and Close.
func (d *Draft) Digest() crypt.Digest {
	d.w.flush()
	return d.w.totals.Digest
}

// Finish puts head and facts in front and the final frame behind, and returns
// the whole object, which is good until Close.
func (d *Draft) Finish(facts []byte) ([]byte, error) {
	if err := checkFacts(facts); err != nil {
		return nil, err
	}
	front := append(d.head, sealRaw(d.w.suite, 0, factsFrame, facts)...)
	d.w.totals.Sealed += uint64(len(front))
	if err := d.w.Close(); err != nil {
		return nil, err
	}
	whole := d.out[space-len(front):]
	copy(whole, front)
	return whole, nil
}

// Close gives the Draft's memory back. It may be called at any time, and again.
func (d *Draft) Close() {
	d.w.ring.drain()
	d.w.ring.release()
	if d.out != nil {
		d.mem.giveDraft(d.out)
		d.out = nil
	}
}
