package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// RecordHeaderSize is the length in bytes of the header that opens every
// record (PostgreSQL: SizeOfXLogRecord).
const RecordHeaderSize = 24

// MaxRecordLength is the most that a record can have, in bytes: what
// PostgreSQL can allocate in one piece (MaxAllocSize).
const MaxRecordLength = 1<<30 - 1

// Ids of what can stand between a record's header and its data, beside block
// references (PostgreSQL: access/xlogrecord.h).
const (
	idMainShort = 255 // u8 length of the main data
	idMainLong  = 254 // u32 length of the main data
	idOrigin    = 253 // u16 replication origin
	idTopXID    = 252 // u32 top-level transaction
)

// Info values of XLOG records. The low four bits of an info are flags of the
// writer. (PostgreSQL: catalog/pg_control.h.)
const (
	infoMask = 0xF0

	infoCheckpointShutdown = 0x00
	infoCheckpointOnline   = 0x10
	infoSwitch             = 0x40
	infoBackupEnd          = 0x50
	infoParameterChange    = 0x60
	infoRestorePoint       = 0x70
	infoEndOfRecovery      = 0x90
	infoOverwrite          = 0xD0
)

// castagnoli is the polynomial of a record's checksum, CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// RecordHeader opens every record, on an address divisible by 8; integers are
// little-endian. (PostgreSQL: XLogRecord.)
//
//	offset  size  field
//	0       4     length of the record, header included
//	4       4     transaction id
//	8       8     LSN of the record before
//	16      1     info: kind of record within its resource manager
//	17      1     resource manager
//	18      2     padding
//	20      4     CRC-32C over the bytes from 24 on, then over bytes 0 to 19
type RecordHeader struct {
	Length uint32
	XID    uint32
	Prev   LSN
	Info   uint8
	Rmgr   Rmgr
	CRC    uint32
}

// ParseRecordHeader reads the header at the beginning of b. It judges nothing
// but the length of b.
func ParseRecordHeader(b []byte) (RecordHeader, error) {
	if len(b) < RecordHeaderSize {
		return RecordHeader{}, fmt.Errorf("record header of %d bytes is too short", len(b))
	}
	return parseRecordHeader(b), nil
}

// parseRecordHeader wants RecordHeaderSize bytes.
func parseRecordHeader(b []byte) RecordHeader {
	_ = b[RecordHeaderSize-1]
	return RecordHeader{
		Length: binary.LittleEndian.Uint32(b),
		XID:    binary.LittleEndian.Uint32(b[4:]),
		Prev:   LSN(binary.LittleEndian.Uint64(b[8:])),
		Info:   b[16],
		Rmgr:   Rmgr(b[17]),
		CRC:    binary.LittleEndian.Uint32(b[20:]),
	}
}

// is reports whether the record is of this resource manager and kind.
func (h RecordHeader) is(r Rmgr, info uint8) bool {
	return h.Rmgr == r && h.Info&infoMask == info
}

// checksum is the CRC-32C of a whole record.
func checksum(rec []byte) uint32 {
	crc := crc32.Update(0, castagnoli, rec[RecordHeaderSize:])
	return crc32.Update(crc, castagnoli, rec[:20])
}

// RecordError says why the bytes at LSN are no record that PostgreSQL would
// replay.
type RecordError struct {
	LSN    LSN
	Reason string
}

func (e *RecordError) Error() string { return fmt.Sprintf("record at %v: %s", e.LSN, e.Reason) }

// record is one record as the facts see it: its header and its first bytes,
// header included; all of them, or headSize.
type record struct {
	RecordHeader
	lsn  LSN
	head []byte
}

// main is the record's main data, as far as head reaches; full says that it
// is all. Records with block references give nothing: none that makes a fact
// has them.
func (r record) main() (data []byte, full bool) {
	b := r.head[RecordHeaderSize:]
	for len(b) > 0 {
		var fixed, length int
		switch id := b[0]; {
		case id == idOrigin:
			fixed = 3
		case id == idTopXID:
			fixed = 5
		case id == idMainShort && len(b) >= 2:
			fixed, length = 2, int(b[1])
		case id == idMainLong && len(b) >= 5:
			fixed, length = 5, int(binary.LittleEndian.Uint32(b[1:]))
		default:
			return nil, false
		}
		last := b[0] >= idMainLong
		if len(b) < fixed {
			return nil, false
		}
		b = b[fixed:]
		if last {
			n := min(length, len(b))
			return b[:n], n == length
		}
	}
	return nil, r.Length == RecordHeaderSize
}

// align8 rounds up to the alignment of records (PostgreSQL: MAXALIGN).
func align8(n int) int { return (n + 7) &^ 7 }
