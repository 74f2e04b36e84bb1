package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrControl says that bytes are no control file that we can read.
var ErrControl = errors.New("not a readable pg_control")

// ErrControlCRC says that a control file does not match its checksum. A
// server may just be writing it: reading it again can help.
var ErrControlCRC = errors.New("pg_control does not match its checksum")

// DBState is the state of a cluster as its server last wrote it.
type DBState uint32

// States of a cluster (PostgreSQL: DBState).
const (
	StateStartup DBState = iota
	StateShutdown
	StateShutdownInRecovery
	StateShuttingDown
	StateCrashRecovery
	StateArchiveRecovery
	StateProduction
)

// String is the state as pg_controldata prints it.
func (s DBState) String() string {
	switch s {
	case StateStartup:
		return "starting up"
	case StateShutdown:
		return "shut down"
	case StateShutdownInRecovery:
		return "shut down in recovery"
	case StateShuttingDown:
		return "shutting down"
	case StateCrashRecovery:
		return "in crash recovery"
	case StateArchiveRecovery:
		return "in archive recovery"
	case StateProduction:
		return "in production"
	}
	return "unrecognized status code"
}

// Control is what a data directory says of itself in global/pg_control
// (PostgreSQL: ControlFileData). Offsets in bytes, little-endian:
//
//	offset  size  field
//	0       8     system identifier
//	8       4     control file version: 1300 (PostgreSQL 13 to 16), 1700 or 1800
//	12      4     catalog version
//	16      4     state
//	32      8     LSN of the latest check point record
//	40      8     its redo LSN
//	48      4     its timeline
//	136     8     minimum recovery end, 0 in production
//	144     4     its timeline
//	216     4     data block size
//	224     4     WAL block size
//	228     4     WAL segment size
//	252     4     data page checksum version, 0 for none
//	288     4     CRC-32C of the bytes before it, versions 1300 and 1700
//	292     4     the same, version 1800
//
// The file is padded to 8192 bytes.
type Control struct {
	SystemID           uint64
	ControlVersion     uint32
	CatalogVersion     uint32
	State              DBState
	Checkpoint         LSN // start of the latest check point record
	Redo               LSN // where replay from it begins
	CheckpointTimeline Timeline
	MinRecovery        Location // replay must pass it before the data is consistent
	BlockSize          uint32   // bytes
	WALBlockSize       uint32   // bytes
	SegmentSize        int64    // bytes
	ChecksumVersion    uint32
}

// ParseControl reads a control file and checks its CRC.
func ParseControl(b []byte) (Control, error) {
	if len(b) < 12 {
		return Control{}, fmt.Errorf("%w: only %d bytes", ErrControl, len(b))
	}
	crcAt, err := controlCRCOffset(binary.LittleEndian.Uint32(b[8:]))
	if err != nil {
		return Control{}, err
	}
	if len(b) < crcAt+4 {
		return Control{}, fmt.Errorf("%w: only %d bytes", ErrControl, len(b))
	}
	crc := crc32.Checksum(b[:crcAt], crc32.MakeTable(crc32.Castagnoli))
	if crc != binary.LittleEndian.Uint32(b[crcAt:]) {
		return Control{}, ErrControlCRC
	}
	c := decodeControl(b)
	if !ValidSegmentSize(c.SegmentSize) {
		return Control{}, fmt.Errorf("%w: WAL segments of %d bytes", ErrControl, c.SegmentSize)
	}
	return c, nil
}

// controlCRCOffset is where the CRC lies in a file of that version, in bytes.
func controlCRCOffset(version uint32) (int, error) {
	switch version {
	case 1300, 1700:
		return 288, nil
	case 1800:
		return 292, nil
	}
	if version != 0 && version&0xFFFF == 0 {
		return 0, fmt.Errorf("%w: written with the other byte order", ErrControl)
	}
	return 0, fmt.Errorf("%w: version %d is none of PostgreSQL 13 to 18", ErrControl, version)
}

func decodeControl(b []byte) Control {
	le := binary.LittleEndian
	return Control{
		SystemID:           le.Uint64(b),
		ControlVersion:     le.Uint32(b[8:]),
		CatalogVersion:     le.Uint32(b[12:]),
		State:              DBState(le.Uint32(b[16:])),
		Checkpoint:         LSN(le.Uint64(b[32:])),
		Redo:               LSN(le.Uint64(b[40:])),
		CheckpointTimeline: Timeline(le.Uint32(b[48:])),
		MinRecovery:        Location{Timeline(le.Uint32(b[144:])), LSN(le.Uint64(b[136:]))},
		BlockSize:          le.Uint32(b[216:]),
		WALBlockSize:       le.Uint32(b[224:]),
		SegmentSize:        int64(le.Uint32(b[228:])),
		ChecksumVersion:    le.Uint32(b[252:]),
	}
}
