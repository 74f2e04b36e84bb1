package waltest

import (
	"encoding/binary"
	"hash/crc32"

	"walarchive/archive/wal"
)

// Control is a pg_control, of version 1700, of a server in production that says
// as much as is read.
func Control(id wal.Identity) []byte {
	b := make([]byte, 8192)
	le := binary.LittleEndian
	le.PutUint64(b, id.SystemID)
	le.PutUint32(b[8:], 1700)
	le.PutUint32(b[16:], uint32(wal.StateProduction))
	le.PutUint32(b[48:], 1)
	le.PutUint32(b[216:], 8192)
	le.PutUint32(b[224:], wal.PageSize)
	le.PutUint32(b[228:], uint32(id.SegmentSize))
	le.PutUint32(b[288:], crc32.Checksum(b[:288], crc32.MakeTable(crc32.Castagnoli)))
	return b
}
