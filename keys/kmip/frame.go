package kmip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/ttlv"
)

const (
	itemHeader = 8       // bytes: tag 3, type 1, length 4, big-endian
	maxAnswer  = 1 << 20 // bytes; more than any service was asked for
	maxDepth   = 32      // structures in structures
)

var errBroken = errors.New("the answer is not one of KMIP")

// readAnswer reads one message.
func readAnswer(r io.Reader) ([]byte, error) {
	header := make([]byte, itemHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	if itemTag(header) != kmip.TagResponseMessage || ttlv.Type(header[3]) != ttlv.TypeStructure {
		return nil, errBroken
	}
	n := binary.BigEndian.Uint32(header[4:])
	if n > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	b := make([]byte, itemHeader+int(n))
	copy(b, header)
	if _, err := io.ReadFull(r, b[itemHeader:]); err != nil {
		return nil, noEOF(err)
	}
	return b, nil
}

// noEOF: an end within a message is unexpected, also just behind the header.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func itemTag(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// parseAnswer takes the one item out of a message. Lengths are checked here:
// the library relies on them and panics where they do not fit their types.
func parseAnswer(b []byte) (*kmip.ResponseBatchItem, error) {
	if !wellFormed(b, 0) {
		return nil, errBroken
	}
	var m kmip.ResponseMessage
	if err := ttlv.UnmarshalTTLV(b, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	if m.Header.BatchCount != 1 || len(m.BatchItem) != 1 {
		return nil, fmt.Errorf("%w: it has %d items", errBroken, len(m.BatchItem))
	}
	return &m.BatchItem[0], nil
}

// wellFormed reports whether b is a row of whole items of known types, each of
// a length that its type can have. (KMIP 1.4, section 9.1.)
func wellFormed(b []byte, depth int) bool {
	for len(b) > 0 {
		if len(b) < itemHeader || depth > maxDepth {
			return false
		}
		n := uint64(binary.BigEndian.Uint32(b[4:]))
		padded := (n + 7) &^ 7
		if padded > uint64(len(b)-itemHeader) || !fits(ttlv.Type(b[3]), n) {
			return false
		}
		value := b[itemHeader:][:n]
		if ttlv.Type(b[3]) == ttlv.TypeStructure && !wellFormed(value, depth+1) {
			return false
		}
		b = b[itemHeader+padded:]
	}
	return true
}

// fits reports whether a value of n bytes can be of the type.
func fits(t ttlv.Type, n uint64) bool {
	switch t {
	case ttlv.TypeInteger, ttlv.TypeEnumeration, ttlv.TypeInterval:
		return n == 4
	case ttlv.TypeLongInteger, ttlv.TypeBoolean, ttlv.TypeDateTime:
		return n == 8
	case ttlv.TypeBigInteger:
		return n > 0 && n%8 == 0
	case ttlv.TypeStructure:
		return n%8 == 0
	case ttlv.TypeTextString, ttlv.TypeByteString:
		return true
	}
	return false
}
