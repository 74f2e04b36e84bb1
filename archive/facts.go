package archive

import (
	"encoding/json"
	"fmt"
	"time"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// Kind is what a sealed object holds. It is bound into the object.
type Kind string

const (
	KindSegment    Kind = "segment"    // a complete WAL segment, in canonical form
	KindPartial    Kind = "partial"    // the unfinished last segment of a timeline, unaltered
	KindHistory    Kind = "history"    // a timeline history file
	KindBackup     Kind = "backup"     // a backup history file
	KindQuarantine Kind = "quarantine" // the bytes of a file that was not accepted
	KindRepair     Kind = "repair"     // the record of an object moved to damaged/
)

// Proof says how it is known where the WAL in a segment ends.
type Proof string

const (
	ProofFull    Proof = "full"    // every page is valid to the segment's last byte
	ProofSwitch  Proof = "switch"  // a segment switch record; zeros behind it
	ProofHistory Proof = "history" // records are valid up to where a child timeline's history begins
	ProofNone    Proof = "none"    // not proven: noise and a stale key look alike
)

// Facts is what the first frame of a sealed object says about the rest, as
// JSON. It is sealed like the content. In version 1 its members never change.
type Facts struct {
	Size     int64        `json:"size,string"` // bytes of the canonical content
	Digest   crypt.Digest `json:"digest"`      // of the canonical content
	SystemID uint64       `json:"system_id,string"`
	Host     string       `json:"host"` // who wrote it
	Time     time.Time    `json:"time"` // when
	Chain    ChainTip     `json:"chain"`

	Proof  Proof       `json:"proof,omitempty"`  // segments and partial segments
	Source *tde.Source `json:"source,omitempty"` // how the host had it encrypted
	WAL    *wal.Facts  `json:"wal,omitempty"`

	Reason string `json:"reason,omitempty"` // quarantine and repair: why
}

// ChainTip is the newest key-chain entry that a writer had seen.
type ChainTip struct {
	Number int          `json:"n"`
	Digest crypt.Digest `json:"digest"`
}

func parseFacts(b []byte) (*Facts, error) {
	var f Facts
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("facts: %w: written by a newer version?", err)
	}
	return &f, nil
}
