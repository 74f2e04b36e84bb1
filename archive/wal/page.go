package wal

import (
	"encoding/binary"
	"fmt"
)

// PageSize is the size of a WAL page in bytes. PostgreSQL can be built with
// others (XLOG_BLCKSZ); like every tool around it we know only this one.
const PageSize = 8192

// Sizes of the page header in bytes (PostgreSQL: SizeOfXLogShortPHD,
// SizeOfXLogLongPHD). The first page of a segment has the long one.
const (
	ShortHeaderSize = 24
	LongHeaderSize  = 40
)

// Flags of a page header (PostgreSQL: xlp_info).
const (
	PageContinues  = 0x0001 // opens with the rest of a record from the page before
	PageLong       = 0x0002 // has the long header
	PageRemovable  = 0x0004 // its full-page images may be left out of the archive
	PageOverwrites = 0x0008 // the record left open before it was never finished: a crash

	pageFlags = 0x000F // all there are
)

// PageMagic is the number that opens every WAL page of a PostgreSQL major
// version, and whether we know that version.
func PageMagic(major int) (uint16, bool) {
	switch major {
	case 15:
		return 0xD110, true
	case 16:
		return 0xD113, true
	case 17:
		return 0xD116, true
	case 18:
		return 0xD118, true
	}
	return 0, false
}

// majorOf is the inverse of PageMagic.
func majorOf(magic uint16) (int, bool) {
	for major := 15; ; major++ {
		m, known := PageMagic(major)
		if !known || m == magic {
			return major, known
		}
	}
}

// PageHeader opens every WAL page; integers are little-endian.
// (PostgreSQL: XLogPageHeaderData, XLogLongPageHeaderData.)
//
//	offset  size  field
//	0       2     magic
//	2       2     flags
//	4       4     timeline
//	8       8     address: the LSN of the page's first byte
//	16      4     bytes left of the record that continues here
//	20      4     padding
//	24      8     system identifier    (long header only, as all below)
//	32      4     segment size
//	36      4     page size
type PageHeader struct {
	Magic    uint16
	Flags    uint16
	Timeline Timeline
	Address  LSN
	Left     uint32 // bytes

	SystemID    uint64 // zero in a short header, as all below
	SegmentSize uint32 // bytes
	PageSize    uint32 // bytes
}

// ParsePageHeader reads the header at the beginning of b, long or short as
// its flag says. It judges nothing but the length of b.
func ParsePageHeader(b []byte) (PageHeader, error) {
	if len(b) < ShortHeaderSize {
		return PageHeader{}, fmt.Errorf("page header of %d bytes is too short", len(b))
	}
	h := PageHeader{
		Magic:    binary.LittleEndian.Uint16(b),
		Flags:    binary.LittleEndian.Uint16(b[2:]),
		Timeline: Timeline(binary.LittleEndian.Uint32(b[4:])),
		Address:  LSN(binary.LittleEndian.Uint64(b[8:])),
		Left:     binary.LittleEndian.Uint32(b[16:]),
	}
	if h.Flags&PageLong == 0 {
		return h, nil
	}
	if len(b) < LongHeaderSize {
		return PageHeader{}, fmt.Errorf("long page header of %d bytes is too short", len(b))
	}
	h.SystemID = binary.LittleEndian.Uint64(b[24:])
	h.SegmentSize = binary.LittleEndian.Uint32(b[32:])
	h.PageSize = binary.LittleEndian.Uint32(b[36:])
	return h, nil
}

// Append adds the bytes of the header to b: what ParsePageHeader reads.
func (h PageHeader) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, h.Magic)
	b = binary.LittleEndian.AppendUint16(b, h.Flags)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Timeline))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Address))
	b = binary.LittleEndian.AppendUint32(b, h.Left)
	b = append(b, 0, 0, 0, 0)
	if h.Flags&PageLong == 0 {
		return b
	}
	b = binary.LittleEndian.AppendUint64(b, h.SystemID)
	b = binary.LittleEndian.AppendUint32(b, h.SegmentSize)
	return binary.LittleEndian.AppendUint32(b, h.PageSize)
}

// Size is the length of the header in bytes.
func (h PageHeader) Size() int {
	if h.Flags&PageLong != 0 {
		return LongHeaderSize
	}
	return ShortHeaderSize
}

// Identity is what the long page headers of one cluster say: the same in
// every segment from initdb to pg_upgrade or pg_resetwal.
type Identity struct {
	SystemID    uint64
	Major       int   // PostgreSQL's major version, by the pages' magic
	SegmentSize int64 // bytes
}

// Identify reads the identity from the first page of any segment. Pages that
// cannot open a segment give a *PageError.
func Identify(page []byte) (Identity, error) {
	h, err := ParsePageHeader(page)
	if err != nil {
		return Identity{}, err
	}
	major, known := majorOf(h.Magic)
	switch {
	case !known:
		return Identity{}, &PageError{Field: FieldMagic, Got: hex16(h.Magic), Want: "one of PostgreSQL 15 to 18"}
	case h.Flags&PageLong == 0 || h.Flags&^pageFlags != 0:
		return Identity{}, &PageError{Field: FieldFlags, Got: hex16(h.Flags), Want: "those of a segment's first page"}
	case !ValidSegmentSize(int64(h.SegmentSize)):
		return Identity{}, &PageError{Field: FieldSegmentSize, Got: fmt.Sprint(h.SegmentSize), Want: "a power of two from 1 MiB to 1 GiB"}
	case h.PageSize != PageSize:
		return Identity{}, &PageError{Field: FieldPageSize, Got: fmt.Sprint(h.PageSize), Want: fmt.Sprint(PageSize)}
	}
	return Identity{h.SystemID, major, int64(h.SegmentSize)}, nil
}

// The fields of a page header that a PageError can name.
const (
	FieldMagic       = "magic"
	FieldFlags       = "flags"
	FieldTimeline    = "timeline"
	FieldAddress     = "address"
	FieldLeft        = "rest of a record"
	FieldSystemID    = "system identifier"
	FieldSegmentSize = "segment size"
	FieldPageSize    = "page size"
)

// PageError says which field of which page's header is not what it must be.
type PageError struct {
	Offset    int64  // of the page in its segment, bytes
	Field     string // one of the Field constants
	Got, Want string
}

func (e *PageError) Error() string {
	return fmt.Sprintf("page at offset %d: %s is %s, want %s", e.Offset, e.Field, e.Got, e.Want)
}

func hex16(v uint16) string { return fmt.Sprintf("0x%04X", v) }
