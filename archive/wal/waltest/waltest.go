// Package waltest makes write-ahead log for tests: segments of any size,
// timeline and length that PostgreSQL's own reader accepts, down to headers
// split by a page's end, records of many segments, crashes and promotions.
//
//	w := waltest.New(wal.Identity{SystemID: 7, Major: 17, SegmentSize: 1 << 20}, 1, 0x3000000)
//	w.Commit(waltest.Xact{XID: 735, Time: at})
//	w.RestorePoint("before-the-upgrade", at)
//	w.Switch()
//	b := w.Segment(3) // 1 MiB, zeros behind the switch
//
// It is not a model of a server: what its records change is nobody's data.
package waltest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"walarchive/archive/wal"
)

// Writer writes WAL as one server would, from a position onwards.
type Writer struct {
	id    wal.Identity
	magic uint16
	tli   wal.Timeline

	pos      wal.LSN // where the next byte goes
	prev     wal.LSN // the last record
	void     bool    // the next page voids the record before it
	segments map[wal.SegmentNo][]byte
}

// New begins at start, which must be the first byte of a segment; the record
// before it is said to be 40 bytes earlier. It panics on an identity that no
// cluster can have, for tests have no use for the error.
func New(id wal.Identity, t wal.Timeline, start wal.LSN) *Writer {
	magic, known := wal.PageMagic(id.Major)
	if !known || !wal.ValidSegmentSize(id.SegmentSize) || uint64(start)%uint64(id.SegmentSize) != 0 {
		panic(fmt.Sprintf("waltest: no cluster is like %+v, or no segment starts at %v", id, start))
	}
	return &Writer{
		id:       id,
		magic:    magic,
		tli:      t,
		pos:      start,
		prev:     max(start, 40) - 40,
		segments: make(map[wal.SegmentNo][]byte),
	}
}

// LSN is the position behind the last record.
func (w *Writer) LSN() wal.LSN { return w.pos }

// Timeline is that of the pages to come.
func (w *Writer) Timeline() wal.Timeline { return w.tli }

// Segment is a copy of segment no as it would lie in pg_wal: what was never
// written is zero.
func (w *Writer) Segment(no wal.SegmentNo) []byte {
	b := make([]byte, w.id.SegmentSize)
	copy(b, w.segments[no])
	return b
}

// Forget drops what was written to segment no, for who writes very much.
func (w *Writer) Forget(no wal.SegmentNo) { delete(w.segments, no) }

// Name is segment no of the current timeline.
func (w *Writer) Name(no wal.SegmentNo) wal.Segment {
	return wal.Segment{Timeline: w.tli, No: no, Size: w.id.SegmentSize}
}

// Record writes a record with this main data and returns its LSN.
func (w *Writer) Record(r wal.Rmgr, info uint8, xid uint32, data []byte) wal.LSN {
	w.open()
	rec := Record(r, info, xid, w.prev, data)
	lsn := w.pos
	w.put(rec)
	w.prev = lsn
	return lsn
}

// Torn writes as much of a record as pages take, the rest of this one first,
// as if the server had crashed there, and then the record that voids it. It
// returns the LSN of the record that is not. length is as in Skip.
func (w *Writer) Torn(length, pages int) wal.LSN {
	w.open()
	lsn := w.pos
	rec := Record(wal.RmgrXLOG, infoNoop, 0, w.prev, filler(length))
	for i := range pages {
		if i > 0 {
			w.header(wal.PageContinues, uint32(len(rec)))
		}
		n := wal.PageSize - w.pos%wal.PageSize
		w.write(rec[:n])
		rec = rec[n:]
	}
	w.void = true
	w.Record(wal.RmgrXLOG, infoOverwrite, 0, le64(uint64(lsn), 0))
	return lsn
}

// Skip writes a record of exactly n bytes, a multiple of 8 and at least 24.
func (w *Writer) Skip(n int) wal.LSN {
	return w.Record(wal.RmgrXLOG, infoNoop, 0, filler(n))
}

// Fill writes records of about 512 bytes until left bytes of the segment
// remain, a multiple of 8. At least 24 bytes more must be there now.
func (w *Writer) Fill(left int) {
	w.open()
	size := wal.LSN(w.id.SegmentSize)
	end := (w.pos/size+1)*size - wal.LSN(left)
	for n := w.payload(end); n > 0; n = w.payload(end) {
		if n > 2*512 {
			n = 512
		}
		w.Skip(n)
	}
}

// Switch ends the segment, as pg_switch_wal does.
func (w *Writer) Switch() wal.LSN {
	lsn := w.Record(wal.RmgrXLOG, infoSwitch, 0, nil)
	size := wal.LSN(w.id.SegmentSize)
	w.pos = (w.pos + size - 1) / size * size
	return lsn
}

// Promote begins timeline t where the old one ends: the segments so far stay
// as they are and go on in the new timeline's name.
func (w *Writer) Promote(t wal.Timeline, at wal.Timestamp) wal.LSN {
	old := w.tli
	w.tli = t
	data := append(le64(uint64(at)), le32(uint32(t), uint32(old))...)
	if w.id.Major >= 17 {
		data = append(data, le32(uint32(wal.LevelReplica))...)
	}
	return w.Record(wal.RmgrXLOG, infoEndOfRecovery, 0, data)
}

// payload is how many bytes of a record fit between w.pos and to.
func (w *Writer) payload(to wal.LSN) int {
	pages := to/wal.PageSize - w.pos/wal.PageSize
	if to%wal.PageSize == 0 && pages > 0 {
		pages--
	}
	return int(to-w.pos) - int(pages)*wal.ShortHeaderSize
}

// open makes sure that a record can start at w.pos.
func (w *Writer) open() {
	if w.pos%wal.PageSize != 0 {
		return
	}
	flags := uint16(0)
	if w.void {
		flags, w.void = wal.PageOverwrites, false
	}
	w.header(flags, 0)
}

// put writes a record, over as many pages as it needs.
func (w *Writer) put(rec []byte) {
	for {
		n := min(len(rec), int(wal.PageSize-w.pos%wal.PageSize))
		w.write(rec[:n])
		if rec = rec[n:]; len(rec) == 0 {
			break
		}
		w.header(wal.PageContinues, uint32(len(rec)))
	}
	w.pos = (w.pos + 7) &^ 7
}

// header begins a page.
func (w *Writer) header(flags uint16, left uint32) {
	h := wal.PageHeader{Magic: w.magic, Flags: flags, Timeline: w.tli, Address: w.pos, Left: left}
	if uint64(w.pos)%uint64(w.id.SegmentSize) == 0 {
		h.Flags |= wal.PageLong
		h.SystemID = w.id.SystemID
		h.SegmentSize = uint32(w.id.SegmentSize)
		h.PageSize = wal.PageSize
	}
	w.write(h.Append(nil))
}

// write puts bytes that do not cross a page's end.
func (w *Writer) write(b []byte) {
	size := uint64(w.id.SegmentSize)
	no := wal.SegmentNo(uint64(w.pos) / size)
	if w.segments[no] == nil {
		w.segments[no] = make([]byte, size)
	}
	copy(w.segments[no][uint64(w.pos)%size:], b)
	w.pos += wal.LSN(len(b))
}

// Record makes the bytes of a record: header, main data and CRC.
func Record(r wal.Rmgr, info uint8, xid uint32, prev wal.LSN, data []byte) []byte {
	rec := make([]byte, wal.RecordHeaderSize, wal.RecordHeaderSize+5+len(data))
	switch n := len(data); {
	case n == 0:
	case n <= 255:
		rec = append(rec, 255, byte(n))
	default:
		rec = append(append(rec, 254), le32(uint32(n))...)
	}
	rec = append(rec, data...)
	binary.LittleEndian.PutUint32(rec, uint32(len(rec)))
	binary.LittleEndian.PutUint32(rec[4:], xid)
	binary.LittleEndian.PutUint64(rec[8:], uint64(prev))
	rec[16], rec[17] = info, byte(r)
	binary.LittleEndian.PutUint32(rec[20:], crc(rec))
	return rec
}

func crc(rec []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Update(0, table, rec[wal.RecordHeaderSize:]), table, rec[:20])
}

// filler is main data that makes a record of n bytes.
func filler(n int) []byte {
	if n == wal.RecordHeaderSize {
		return nil
	}
	head := wal.RecordHeaderSize + 2
	if n > head+255 {
		head += 3
	}
	b := make([]byte, n-head)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

func le32(v ...uint32) (b []byte) {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

func le64(v ...uint64) (b []byte) {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}
