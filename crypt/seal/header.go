package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"walarchive/crypt"
)

const (
	magic        = "WALSEAL"
	version      = 1
	preambleSize = len(magic) + 1 + 4 // magic, version, header length
	maxHeader    = 16 << 10
	maxName      = 512
	maxWraps     = 8
	saltSize     = 32
	suiteOne     = 1
	minFrameSize = 1 << 10
	maxFrameSize = 1 << 20
	defaultFrame = 256 << 10
)

// Header is what an object says of itself in the clear. It is to be believed
// only after Open has returned it.
type Header struct {
	Kind      string       `json:"kind"`
	Name      string       `json:"name"` // path below the cluster
	Archive   crypt.ID     `json:"archive"`
	Epoch     crypt.ID     `json:"epoch"`
	Wraps     []crypt.Wrap `json:"wraps"` // of the epoch key, current when sealed
	Suite     int          `json:"suite"`
	Codec     Codec        `json:"codec"`
	FrameSize int          `json:"frame_size"` // plaintext bytes of a full data frame
	Salt      []byte       `json:"salt"`
}

// ReadHeader reads an object's header and nothing behind it, without any proof
// that it is authentic. Bytes that no writer makes give ErrCorrupt or
// ErrVersion, a failing r its own error.
func ReadHeader(r io.Reader) (*Header, error) {
	h, _, err := readHeader(r)
	return h, err
}

// readHeader also returns the object's bytes up to the header's end.
func readHeader(r io.Reader) (*Header, []byte, error) {
	preamble := make([]byte, preambleSize, 1<<10)
	if err := readFull(r, preamble); err != nil {
		return nil, nil, err
	}
	if string(preamble[:len(magic)]) != magic {
		return nil, nil, corrupt("it does not begin as one")
	}
	if v := preamble[len(magic)]; v != version {
		return nil, nil, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	n := binary.BigEndian.Uint32(preamble[len(magic)+1:])
	if n == 0 || n > maxHeader {
		return nil, nil, corrupt("header of %d bytes", n)
	}
	raw := append(preamble, make([]byte, n)...)
	if err := readFull(r, raw[preambleSize:]); err != nil {
		return nil, nil, err
	}
	h, err := parseHeader(raw[preambleSize:])
	return h, raw, err
}

// parseHeader accepts exactly the bytes that Header.encode makes.
func parseHeader(p []byte) (*Header, error) {
	h := new(Header)
	switch err := json.Unmarshal(p, h); {
	case errors.Is(err, ErrVersion):
		return nil, err
	case err != nil:
		return nil, corrupt("header: %v", err)
	}
	if h.Suite > suiteOne {
		return nil, fmt.Errorf("%w: suite %d", ErrVersion, h.Suite)
	}
	if err := h.check(); err != nil {
		return nil, corrupt("header: %v", err)
	}
	if again, err := json.Marshal(h); err != nil || !bytes.Equal(again, p) {
		return nil, corrupt("header is not in its canonical form")
	}
	return h, nil
}

// encode is the object's bytes up to the header's end.
func (h *Header) encode() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) > maxHeader {
		return nil, fmt.Errorf("%w: header of %d bytes", ErrOptions, len(text))
	}
	raw := append([]byte(magic), version)
	raw = binary.BigEndian.AppendUint32(raw, uint32(len(text)))
	return append(raw, text...), nil
}

func (h *Header) check() error {
	switch {
	case !crypt.ValidName(h.Kind):
		return fmt.Errorf("kind %q", h.Kind)
	case !validPath(h.Name):
		return fmt.Errorf("name %q", h.Name)
	case len(h.Wraps) == 0 || len(h.Wraps) > maxWraps:
		return fmt.Errorf("%d key wraps, where 1 to %d are allowed", len(h.Wraps), maxWraps)
	case h.Suite != suiteOne:
		return fmt.Errorf("suite %d", h.Suite)
	case !h.Codec.known():
		return fmt.Errorf("unknown %v", h.Codec)
	case h.FrameSize < minFrameSize || h.FrameSize > maxFrameSize || h.FrameSize&(h.FrameSize-1) != 0:
		return fmt.Errorf("frame size %d is no power of two from %d to %d", h.FrameSize, minFrameSize, maxFrameSize)
	case len(h.Salt) != saltSize:
		return fmt.Errorf("salt of %d bytes", len(h.Salt))
	}
	for _, w := range h.Wraps {
		if err := w.Check(); err != nil {
			return err
		}
	}
	return nil
}

// validPath reports whether s can be a bound name.
func validPath(s string) bool {
	if len(s) > maxName {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if !crypt.ValidName(part) || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// readFull fills p. An object that ends too early gives ErrCorrupt; any other
// failure of r, such as a cut connection, stays what it is.
func readFull(r io.Reader, p []byte) error {
	for n := 0; n < len(p); {
		m, err := r.Read(p[n:])
		n += m
		switch {
		case n == len(p):
		case err == io.EOF:
			return corrupt("it ends too early")
		case err != nil:
			return err
		}
	}
	return nil
}
