package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"walarchive/crypt"
	"walarchive/keys/escrow"
)

// MaxEntrySize bounds one stored entry of the key chain, in bytes.
const MaxEntrySize = 256 << 10

// MaxWraps bounds the wraps of one epoch that are current at a time: as many
// as an object's header takes.
const MaxWraps = 8

// ErrChain says that the key chain is not what an archive's owner wrote:
// damaged, forged, reordered, or with a piece missing.
var ErrChain = errors.New("the key chain is damaged or forged")

// ErrVersion says that an entry is of a version that this program does not
// know. It may come from a newer one.
var ErrVersion = errors.New("the key chain is of an unknown version")

// version is that of the entries written here.
const version = 1

// Entry is one entry of the key chain; the package comment has its form.
type Entry struct {
	Version int                `json:"v"`
	Number  int                `json:"n"`
	Prev    crypt.Digest       `json:"prev"`
	Time    time.Time          `json:"time"`
	Host    string             `json:"host"`
	Archive *crypt.ID          `json:"archive,omitempty"`
	Epoch   *EpochWraps        `json:"epoch,omitempty"`
	Wraps   []EpochWraps       `json:"wraps,omitempty"`
	Retire  []Ref              `json:"retire,omitempty"`
	Escrow  []escrow.Recipient `json:"escrow,omitempty"`
	Dismiss []escrow.Recipient `json:"dismiss,omitempty"`
	Data    json.RawMessage    `json:"data,omitempty"`
}

// EpochWraps are wraps of one epoch's key.
type EpochWraps struct {
	Number int          `json:"number"`
	ID     crypt.ID     `json:"id"`
	Wraps  []crypt.Wrap `json:"wraps"`
}

type mac struct {
	epoch int
	sum   []byte
}

// signed is an entry as it is stored.
type signed struct {
	Entry
	stored []byte
	line   []byte
	macs   []mac
	digest crypt.Digest
}

// sign encodes e with the MACs of the given epochs.
func (e Entry) sign(epochs ...Epoch) ([]byte, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(line)
	sep := "\n"
	for _, ep := range epochs {
		fmt.Fprintf(&b, "%s%d:%x", sep, ep.Number, entryMAC(ep, line))
		sep = " "
	}
	b.WriteByte('\n')
	if b.Len() > MaxEntrySize {
		return nil, fmt.Errorf("key chain entry %d would have %d bytes, more than %d", e.Number, b.Len(), MaxEntrySize)
	}
	return b.Bytes(), nil
}

func entryMAC(e Epoch, line []byte) []byte {
	h := hmac.New(sha256.New, e.chainKey().Bytes())
	h.Write([]byte("walarchive 1 chain entry\x00"))
	h.Write(line)
	return h.Sum(nil)
}

// parseEntry takes a stored entry apart. Nothing it returns is to be believed
// before a MAC verifies.
func parseEntry(b []byte) (*signed, error) {
	if len(b) > MaxEntrySize {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrChain)
	}
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	macs, end, ok2 := strings.Cut(string(rest), "\n")
	if !ok || !ok2 || end != "" {
		return nil, fmt.Errorf("not two lines: %w", ErrChain)
	}
	s := &signed{stored: b, line: line, digest: sha256.Sum256(b)}
	if err := json.Unmarshal(line, &s.Entry); err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrChain)
	}
	if s.Version > version {
		return nil, fmt.Errorf("%w: %d", ErrVersion, s.Version)
	}
	if again, err := json.Marshal(s.Entry); err != nil || !bytes.Equal(again, line) {
		return nil, fmt.Errorf("not in canonical form: %w", ErrChain)
	}
	for _, f := range strings.Split(macs, " ") {
		m, err := parseMAC(f)
		if err != nil {
			return nil, err
		}
		s.macs = append(s.macs, m)
	}
	return s, s.check()
}

func parseMAC(s string) (mac, error) {
	num, sum, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(num)
	b, err2 := hex.DecodeString(sum)
	if err != nil || err2 != nil || n < 1 || len(b) != sha256.Size || s != fmt.Sprintf("%d:%x", n, b) {
		return mac{}, fmt.Errorf("malformed MAC: %w", ErrChain)
	}
	return mac{n, b}, nil
}

// check holds what an entry must be by itself.
func (s *signed) check() error {
	bad := func(what string) error { return fmt.Errorf("entry %d: %s: %w", s.Number, what, ErrChain) }
	first := s.Number == 1
	opens := 0
	if s.Epoch != nil {
		opens = s.Epoch.Number
	}
	if err := s.checkWraps(); err != nil {
		return bad(err.Error())
	}
	switch {
	case s.Version != version:
		return bad("version")
	case s.Number < 1:
		return bad("number")
	case first != (s.Archive != nil):
		return bad("the archive's id stands in entry 1 and only there")
	case first && (opens != 1 || len(s.macs) != 1 || s.macs[0].epoch != 1):
		return bad("entry 1 must open epoch 1")
	case !first && opens != 0 && (len(s.macs) != 2 || s.macs[0].epoch != opens-1 || s.macs[1].epoch != opens):
		return bad("an entry that opens an epoch has the MACs of two")
	case !first && opens == 0 && len(s.macs) != 1:
		return bad("more than one MAC")
	}
	return nil
}

func (s *signed) checkWraps() error {
	all := s.Wraps
	if s.Epoch != nil {
		all = append(slices.Clone(all), *s.Epoch)
	}
	for _, e := range all {
		if err := checkEpochWraps(e); err != nil {
			return err
		}
	}
	return nil
}

func checkEpochWraps(e EpochWraps) error {
	if len(e.Wraps) == 0 || len(e.Wraps) > MaxWraps {
		return fmt.Errorf("%d wraps of epoch %d: %w", len(e.Wraps), e.Number, crypt.ErrWrap)
	}
	for _, w := range e.Wraps {
		if err := w.Check(); err != nil {
			return err
		}
	}
	return nil
}

// verify checks the entry's MAC under e, which must be among its epochs.
func (s *signed) verify(e Epoch) error {
	for _, m := range s.macs {
		if m.epoch == e.Number && hmac.Equal(m.sum, entryMAC(e, s.line)) {
			return nil
		}
	}
	return fmt.Errorf("entry %d: its MAC under epoch %d does not verify: %w", s.Number, e.Number, ErrChain)
}
