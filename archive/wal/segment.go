package wal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a cluster's WAL segment size, a power of two
// (PostgreSQL: IsValidWalSegSize).
const (
	MinSegmentSize = 1 << 20
	MaxSegmentSize = 1 << 30
)

// ErrName says that a string is not the name of a WAL file.
var ErrName = errors.New("not the name of a WAL file")

// ValidSegmentSize reports whether size, in bytes, is one that PostgreSQL allows.
func ValidSegmentSize(size int64) bool {
	return size >= MinSegmentSize && size <= MaxSegmentSize && size&(size-1) == 0
}

// SegmentNo numbers the segments of a timeline: LSN / segment size.
type SegmentNo uint64

// Segment is one WAL segment: which piece of which timeline. Size is the
// cluster's segment size in bytes and always valid.
type Segment struct {
	Timeline Timeline
	No       SegmentNo
	Size     int64
}

// ParseSegment reads a 24-digit, upper-case WAL segment name. size is the
// cluster's segment size in bytes. Names ending in .partial, .backup or
// .history give ErrName. (PostgreSQL: XLogFromFileName.)
func ParseSegment(name string, size int64) (Segment, error) {
	if !ValidSegmentSize(size) {
		return Segment{}, fmt.Errorf("%d bytes is no WAL segment size", size)
	}
	if len(name) != 24 || !upperHex(name) {
		return Segment{}, fmt.Errorf("%q: %w", name, ErrName)
	}
	tli, _ := strconv.ParseUint(name[:8], 16, 32)
	log, _ := strconv.ParseUint(name[8:16], 16, 32)
	seg, _ := strconv.ParseUint(name[16:], 16, 32)
	perLog := uint64(1) << 32 / uint64(size)
	if tli == 0 || seg >= perLog {
		return Segment{}, fmt.Errorf("%q: %w with segments of %d bytes", name, ErrName, size)
	}
	return Segment{Timeline(tli), SegmentNo(log*perLog + seg), size}, nil
}

// SegmentAt is the segment of timeline t that holds the byte at lsn.
func SegmentAt(t Timeline, lsn LSN, size int64) Segment {
	return Segment{t, SegmentNo(uint64(lsn) / uint64(size)), size}
}

// String is the segment's file name.
func (s Segment) String() string {
	if !ValidSegmentSize(s.Size) {
		return "(no segment)"
	}
	perLog := SegmentNo(1 << 32 / s.Size)
	return fmt.Sprintf("%s%08X%08X", s.Timeline.Hex(), uint64(s.No/perLog), uint64(s.No%perLog))
}

// Log is the "log" of 4 GiB that the segment belongs to: the middle eight
// digits of its name.
func (s Segment) Log() uint32 { return uint32(uint64(s.Start()) >> 32) }

// Start is the LSN of the segment's first byte.
func (s Segment) Start() LSN { return LSN(uint64(s.No) * uint64(s.Size)) }

// End is the LSN behind the segment's last byte.
func (s Segment) End() LSN { return s.Start() + LSN(s.Size) }

// Contains reports whether lsn lies in the segment, whatever the timeline.
func (s Segment) Contains(lsn LSN) bool { return SegmentAt(s.Timeline, lsn, s.Size) == s }

// Next is the segment that follows on the same timeline.
func (s Segment) Next() Segment { s.No++; return s }

// On is the segment of the same number on timeline t.
func (s Segment) On(t Timeline) Segment { s.Timeline = t; return s }

// Kind tells the files apart that PostgreSQL hands to archive_command.
type Kind int

const (
	KindSegment Kind = iota + 1 // 000000010000000A000000FF
	KindPartial                 // 000000010000000A000000FF.partial
	KindHistory                 // 00000002.history
	KindBackup                  // 000000010000000A000000FF.00000028.backup
)

func (k Kind) String() string {
	switch k {
	case KindSegment:
		return "segment"
	case KindPartial:
		return "partial segment"
	case KindHistory:
		return "history file"
	case KindBackup:
		return "backup history file"
	}
	return "unknown"
}

// Name is the parsed name of a WAL file of any kind.
type Name struct {
	Kind    Kind
	Segment Segment // of history files only the timeline is set
	Offset  uint32  // of backup history files: where in the segment the backup starts
}

// ParseName reads the name of any WAL file that PostgreSQL archives or asks
// for. size is the cluster's segment size in bytes. Anything else gives
// ErrName. (PostgreSQL: IsXLogFileName, IsPartialXLogFileName,
// IsTLHistoryFileName, IsBackupHistoryFileName.)
func ParseName(name string, size int64) (Name, error) {
	stem, suffix, dotted := strings.Cut(name, ".")
	if suffix == "history" {
		return parseHistoryName(stem, size)
	}
	n := Name{Kind: KindSegment}
	switch {
	case !dotted:
	case suffix == "partial":
		n.Kind = KindPartial
	case len(suffix) == len("00000028.backup") && suffix[8:] == ".backup" && upperHex(suffix[:8]):
		off, _ := strconv.ParseUint(suffix[:8], 16, 32)
		n.Kind, n.Offset = KindBackup, uint32(off)
	default:
		return Name{}, fmt.Errorf("%q: %w", name, ErrName)
	}
	var err error
	if n.Segment, err = ParseSegment(stem, size); err != nil {
		return Name{}, err
	}
	if int64(n.Offset) >= size {
		return Name{}, fmt.Errorf("%q: %w with segments of %d bytes", name, ErrName, size)
	}
	return n, nil
}

func parseHistoryName(stem string, size int64) (Name, error) {
	tli, _ := strconv.ParseUint(stem, 16, 32)
	if len(stem) != 8 || !upperHex(stem) || tli == 0 {
		return Name{}, fmt.Errorf("%q: %w", stem+".history", ErrName)
	}
	return Name{Kind: KindHistory, Segment: Segment{Timeline: Timeline(tli), Size: size}}, nil
}

// String is the file name.
func (n Name) String() string {
	switch n.Kind {
	case KindPartial:
		return n.Segment.String() + ".partial"
	case KindHistory:
		return n.Segment.Timeline.Hex() + ".history"
	case KindBackup:
		return fmt.Sprintf("%s.%08X.backup", n.Segment, n.Offset)
	}
	return n.Segment.String()
}

func upperHex(s string) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return true
}
