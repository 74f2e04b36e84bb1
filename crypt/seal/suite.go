package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"walarchive/crypt"
)

var tagLabel = []byte("walarchive seal 1 frame")

// suite seals and opens the frames of one object by suite 1. Its methods may
// be called concurrently, each with a MAC of its own from newMAC.
type suite struct {
	block  cipher.Block
	mac    crypt.Key
	header [sha256.Size]byte // SHA-256 of the object up to its header's end
}

// newSuite derives an object's keys from the epoch's seal key, which has 32
// bytes. raw is the object up to its header's end.
func newSuite(key crypt.Key, h *Header, raw []byte) (*suite, error) {
	if n := len(key.Bytes()); n != 32 {
		return nil, fmt.Errorf("seal key: %w; this use needs 32, not %d", crypt.ErrKeyLength, n)
	}
	derive := func(purpose string) crypt.Key {
		return key.Derive(h.Salt, fmt.Sprintf("walarchive seal 1 suite 1 %s archive %v epoch %v",
			purpose, h.Archive, h.Epoch))
	}
	block, err := aes.NewCipher(derive("encrypt").Bytes())
	if err != nil {
		return nil, err
	}
	return &suite{block, derive("authenticate"), sha256.Sum256(raw)}, nil
}

// seal makes the frame f in p, which has room for it. Its payload, f.cipher
// bytes, may lie where its ciphertext will.
func (s *suite) seal(mac hash.Hash, p []byte, f frameHead, payload []byte) []byte {
	p = p[:frameOverhead+f.cipher]
	f.put(p)
	ciphertext := p[frameHeadSize : frameHeadSize+f.cipher]
	s.crypt(ciphertext, payload, f.number)
	return s.tag(mac, p[:frameHeadSize+f.cipher])
}

// verify reports whether p, a whole frame, has the tag it should have.
func (s *suite) verify(mac hash.Hash, p []byte) bool {
	body, tag := p[:len(p)-tagSize], p[len(p)-tagSize:]
	s.feed(mac, body)
	var want [tagSize]byte
	return hmac.Equal(mac.Sum(want[:0]), tag)
}

// open verifies the frame p, whose head is f, and fills dst, f.plain bytes,
// by c unless the frame's codec is none. The ciphertext in p may be
// overwritten.
func (s *suite) open(mac hash.Hash, dst, p []byte, f frameHead, c coder) error {
	if !s.verify(mac, p) {
		return corrupt("frame %d does not verify", f.number)
	}
	ciphertext := p[frameHeadSize : frameHeadSize+f.cipher]
	if f.codec == None {
		s.crypt(dst, ciphertext, f.number)
		return nil
	}
	s.crypt(ciphertext, ciphertext, f.number)
	if !c.unpack(dst, ciphertext) {
		return corrupt("frame %d does not decompress", f.number)
	}
	return nil
}

// crypt encrypts or decrypts the payload of a frame: the same operation.
func (s *suite) crypt(dst, src []byte, number uint64) {
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[:], number)
	cipher.NewCTR(s.block, counter[:]).XORKeyStream(dst, src)
}

// newMAC makes what the other methods need, for one of them at a time.
func (s *suite) newMAC() hash.Hash { return hmac.New(sha256.New, s.mac.Bytes()) }

// tag appends the tag of a frame to the rest of it.
func (s *suite) tag(mac hash.Hash, body []byte) []byte {
	s.feed(mac, body)
	return mac.Sum(body)
}

func (s *suite) feed(mac hash.Hash, body []byte) {
	mac.Reset()
	mac.Write(tagLabel)
	mac.Write(s.header[:])
	mac.Write(body)
}
