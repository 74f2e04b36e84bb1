package wal

import "fmt"

// headSize is how much of a record that crosses a segment's end each of the
// two segments' facts keep, in bytes.
const headSize = 2048

// MaxFactsSize bounds the JSON of a segment's facts, in bytes.
const MaxFactsSize = 48 << 10

// Facts are what one segment tells a planner who does not want to read it.
// Their JSON is part of a format that never changes: LSNs, times and 64-bit
// numbers are strings, what is absent is left out, and equal segments give
// equal bytes of at most MaxFactsSize. Lists stand in order of LSN; one that
// would grow too long ends early and is named in Overflow: then the segment
// itself must be asked.
//
// A record belongs to the segment in which it starts. One that is still open
// at the segment's end is counted here, if its header is visible, but decoded
// only by Join with the next segment's facts.
type Facts struct {
	Timeline      Timeline   `json:"timeline"`                 // by the segment's name
	PageTimelines []Timeline `json:"page_timelines,omitempty"` // those that its pages say, rising

	FirstLSN LSN `json:"first_lsn"` // the segment's first byte
	LastLSN  LSN `json:"last_lsn"`  // the segment's last byte
	End      End `json:"end"`       // how far valid WAL reaches

	FirstRecord LSN `json:"first_record,omitempty"` // absent: no record starts here
	FirstPrev   LSN `json:"first_prev,omitempty"`   // the LSN to which the first record links back
	LastRecord  LSN `json:"last_record,omitempty"`  // a switch or an open record included

	Records map[Rmgr]uint32 `json:"records,omitempty"` // that start here, as pg_waldump --stats counts them
	Xacts   *XactRange      `json:"xacts,omitempty"`

	RestorePoints []RestorePoint     `json:"restore_points,omitempty"`
	Checkpoints   []Checkpoint       `json:"checkpoints,omitempty"`
	Recoveries    []EndOfRecovery    `json:"ends_of_recovery,omitempty"`
	BackupEnds    []BackupEnd        `json:"backup_ends,omitempty"`
	Parameters    []ParameterChange  `json:"parameter_changes,omitempty"`
	Tablespaces   []Tablespace       `json:"tablespaces,omitempty"`
	Overwrites    []Overwrite        `json:"overwrites,omitempty"`
	TDE           []TDERecord        `json:"tde,omitempty"`
	TDEOther      map[TDEInfo]uint32 `json:"tde_other,omitempty"` // pg_tde's other records, counted

	Continuation *Continuation `json:"continuation,omitempty"`
	Open         *OpenRecord   `json:"open,omitempty"`

	Overflow []string `json:"overflow,omitempty"` // JSON names of members that are not complete, sorted
}

// End says where and why valid WAL ends in a segment.
type End struct {
	// LSN is behind the last valid record, rounded up to 8: where a child
	// timeline would begin. If a record from the segment before turns out
	// invalid here, it is in the segment before.
	LSN  LSN     `json:"lsn"`
	Kind EndKind `json:"kind"`

	// Of an invalid end: why, a *PageError, *RecordError or what wraps
	// ErrAfterSwitch; nil once the facts were stored.
	Cause error `json:"-"`
	// Of an invalid end: the first page behind it that has a valid header
	// for its own address, or zero. With one, damage is likelier than the
	// end of what was written.
	Behind LSN `json:"-"`
}

// EndKind is why WAL ends.
type EndKind uint8

const (
	EndFull    EndKind = iota + 1 // valid to the last byte, maybe with a record left open
	EndSwitch                     // closed by a switch record: nothing follows in this segment
	EndInvalid                    // not valid to the end: unfinished, or damaged
)

var endKinds = [...]string{EndFull: "full", EndSwitch: "switch", EndInvalid: "invalid"}

func (k EndKind) String() string {
	if int(k) < len(endKinds) {
		return endKinds[k]
	}
	return ""
}

// MarshalText is String.
func (k EndKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *EndKind) UnmarshalText(b []byte) error {
	for i, s := range endKinds {
		if string(b) == s {
			*k = EndKind(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of end", b)
}

// XactRange spans the commits and aborts of a segment, prepared ones
// included. Times can run backwards within it. The ids are top-level and
// compared as numbers: a range over a wraparound holds all of them.
type XactRange struct {
	LowestTime  Timestamp `json:"lowest_time"`
	HighestTime Timestamp `json:"highest_time"`
	LowestXID   uint32    `json:"lowest_xid,omitempty"` // zero: no transaction had an id
	HighestXID  uint32    `json:"highest_xid,omitempty"`
}

// Continuation is the rest of a record from an earlier segment, with which
// this one opens.
type Continuation struct {
	Left uint32 `json:"left"` // bytes, page headers not counted; can be more than fit here
	Head []byte `json:"head"` // the first of them, at most 2 KiB
}

// OpenRecord starts in this segment and does not end in it.
type OpenRecord struct {
	LSN    LSN    `json:"lsn"`
	Length uint32 `json:"length"` // of the whole record, bytes
	Head   []byte `json:"head"`   // what is here of it, at most 2 KiB
}

// Rmgr is the record's resource manager; false if its header is cut too.
func (o *OpenRecord) Rmgr() (Rmgr, bool) {
	if len(o.Head) < RecordHeaderSize {
		return 0, false
	}
	return parseRecordHeader(o.Head).Rmgr, true
}

// Incomplete reports whether list, the JSON name of a member, was cut short.
func (f *Facts) Incomplete(list string) bool {
	for _, name := range f.Overflow {
		if name == list {
			return true
		}
	}
	return false
}
