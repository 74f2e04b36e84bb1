package wal

import "hash/crc32"

// openRecord is a record that comes in pieces. It keeps its first bytes and
// reads the rest in passing.
type openRecord struct {
	lsn    LSN
	length uint32
	got    uint32
	major  int
	header RecordHeader // once got reaches it
	crc    uint32       // of what is behind the header
	xact   xactReader
	n      int // bytes of head in use
	head   [headSize]byte
}

func (o *openRecord) reset(lsn LSN, length uint32, major int) {
	o.lsn, o.length, o.major = lsn, length, major
	o.got, o.crc, o.n = 0, 0, 0
}

func (o *openRecord) feed(b []byte) {
	o.n += copy(o.head[o.n:], b)
	if missing := RecordHeaderSize - int(o.got); missing > 0 {
		n := min(missing, len(b))
		o.got += uint32(n)
		b = b[n:]
		if o.got < RecordHeaderSize {
			return
		}
		o.header = parseRecordHeader(o.head[:])
		o.xact.reset(o.header, o.major)
	}
	o.got += uint32(len(b))
	o.crc = crc32.Update(o.crc, castagnoli, b)
	o.xact.feed(b)
}

// sound reports whether the record is complete and its CRC right.
func (o *openRecord) sound() bool {
	return o.got == o.length && crc32.Update(o.crc, castagnoli, o.head[:20]) == o.header.CRC
}

func (o *openRecord) record() record { return record{o.header, o.lsn, o.head[:o.n]} }
