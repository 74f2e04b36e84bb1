package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// Kind is what a sealed object holds. It is bound into the object.
type Kind string

const (
	KindSegment    Kind = "segment" // a complete WAL segment, in canonical form
	KindPartial    Kind = "partial" // the unfinished last segment of a timeline, unaltered
	KindHistory    Kind = "history" // a timeline history file
	KindBackup     Kind = "backup-history"
	KindQuarantine Kind = "quarantine" // the bytes of a file that was not accepted
	KindRepair     Kind = "repair"     // the record of an object moved to damaged/
	KindEvents     Kind = "events"     // an entry of the event log
)

// Proof says how it is known where the WAL in a segment ends.
type Proof string

const (
	ProofFull    Proof = "full"    // every page is valid to the segment's last byte
	ProofSwitch  Proof = "switch"  // a segment switch record; zeros behind it
	ProofHistory Proof = "history" // records are valid up to where a child timeline's history begins
	ProofNone    Proof = "none"    // not proven: noise and a stale key look alike

	// ProofPreserved: nothing is proven, neither the end nor any of the content:
	// it is the server's ciphertext.
	ProofPreserved Proof = "preserved"
)

// Facts is what the first frame of a sealed object says about the rest, as
// JSON in the one form that encode gives it. It is sealed like the content. In
// version 1 its members never change: a reader refuses those that it does not
// know as ErrNewer.
type Facts struct {
	Size     int64        `json:"size,string"` // bytes of the canonical content
	Digest   crypt.Digest `json:"digest"`      // of the canonical content
	SystemID uint64       `json:"system_id,string"`
	Host     string       `json:"host"` // who wrote it
	Time     time.Time    `json:"time"` // when
	Chain    ChainTip     `json:"chain"`
	Events   *ChainTip    `json:"events,omitempty"` // the newest entry of the event log that its node knew; of servers with pg_tde

	Proof     Proof       `json:"proof,omitempty"`      // segments and partial segments
	Source    *tde.Source `json:"source,omitempty"`     // how the host had it encrypted; absent: not at all
	SourceCut bool        `json:"source_cut,omitempty"` // Source has more spans than are listed
	WAL       *wal.Facts  `json:"wal,omitempty"`

	Reason string `json:"reason,omitempty"` // quarantine and repair: why

	// TDE is what it takes to decrypt a preserved segment but the principal key.
	// Size and Digest are then of the ciphertext, and WAL is absent: unknown.
	TDE *tde.Excerpt `json:"tde,omitempty"`
}

// ChainTip is the newest entry, of the key chain or of the event log, that a
// writer had seen.
type ChainTip struct {
	Number int          `json:"n"`
	Digest crypt.Digest `json:"digest"`
}

// Bounds that keep facts below the 64 KiB that a sealed object has for them,
// with the 48 KiB of wal.MaxFactsSize, or 32 KiB of a tde.Excerpt.
const (
	maxSpans  = 100  // listed of a source, each of at most some 80 bytes
	maxReason = 4096 // bytes
	maxHost   = 255  // bytes
)

// setSource notes how the host had the segment encrypted.
func (f *Facts) setSource(c *tde.Cipher) {
	if c.Encrypted() {
		f.limitSource(c.Source())
	}
}

func (f *Facts) limitSource(source tde.Source) {
	if f.SourceCut = len(source.Spans) > maxSpans; f.SourceCut {
		source.Spans = source.Spans[:maxSpans]
	}
	f.Source = &source
}

// encode is the JSON of the facts, in the form that parseFacts accepts: what a
// reader of the JSON would write again. That differs from the first writing
// where a name from outside is not UTF-8.
func (f *Facts) encode() ([]byte, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	var again Facts
	if err := json.Unmarshal(b, &again); err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	return json.Marshal(&again)
}

func parseFacts(b []byte) (*Facts, error) {
	f := new(Facts)
	if err := decodeStrict(b, f); err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	return f, nil
}

// decodeStrict reads what json.Marshal made of a value like v, and no other
// JSON: a member that is unknown, repeated or spelled otherwise gives ErrNewer.
func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		again, e := json.Marshal(v)
		if err = e; err == nil && !bytes.Equal(again, b) {
			err = errors.New("not as this version writes it")
		}
	}
	if err != nil {
		return advise(fmt.Errorf("%w: %w", ErrNewer, err), "update walarchive on this host")
	}
	return nil
}

// clip cuts s to at most n bytes.
func clip(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}
