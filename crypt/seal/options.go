package seal

import (
	"bytes"
	"crypto/rand"
	"io"
	"runtime"

	"walarchive/crypt"
)

// Options says what to write. Kind, Name, Archive, Epoch and Wraps are needed.
type Options struct {
	Kind, Name     string // see the header's members
	Archive, Epoch crypt.ID
	Wraps          []crypt.Wrap // of the epoch's key, at least one
	Codec          Codec        // default S2
	FrameSize      int          // plaintext bytes of a full frame, default 256 KiB
	Workers        int          // pieces sealed at a time, default GOMAXPROCS, at most 2
	Rand           io.Reader    // source of the salt, default crypto/rand
	Digest         crypt.Digest // of the plaintext, if known; else it is computed
	Memory         *Memory      // to work in; nil: the writer's own
}

// usefulWorkers is how many pieces one core can make that reads and checks WAL,
// while another seals one. More would only take memory.
const usefulWorkers = 2

// header fills in the defaults and draws the salt.
func (o *Options) header() (*Header, error) {
	if o.Codec == 0 {
		o.Codec = S2
	}
	if o.FrameSize == 0 {
		o.FrameSize = defaultFrame
	}
	if o.Workers <= 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), usefulWorkers)
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(o.Rand, salt); err != nil {
		return nil, err
	}
	return &Header{
		Kind: o.Kind, Name: o.Name, Archive: o.Archive, Epoch: o.Epoch, Wraps: o.Wraps,
		Suite: suiteOne, Codec: o.Codec, FrameSize: o.FrameSize, Salt: salt,
	}, nil
}

// Bound is the largest size in bytes of an object of plain bytes of plaintext
// and facts bytes of facts, sealed with this frame size (0: the default).
func Bound(plain, facts int64, frameSize int) int64 {
	if frameSize == 0 {
		frameSize = defaultFrame
	}
	frames := (plain + int64(frameSize) - 1) / int64(frameSize)
	return int64(preambleSize+maxHeader+frameOverhead+TailSize) + facts + plain + frames*frameOverhead
}

// Seal appends plain to dst as one whole object. It makes room once, for the
// largest that can come out.
func Seal(dst, plain []byte, key crypt.Key, facts []byte, o Options) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	buf.Grow(int(Bound(int64(len(plain)), int64(len(facts)), o.FrameSize)))
	w, err := NewWriter(buf, key, facts, o)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
