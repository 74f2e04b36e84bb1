package wal

import "encoding/binary"

// Info values of Transaction records that end a transaction, and the flag
// that says that a record has more than the time. (PostgreSQL: access/xact.h.)
const (
	xactOpMask         = 0x70
	xactCommit         = 0x00
	xactAbort          = 0x20
	xactCommitPrepared = 0x30
	xactAbortPrepared  = 0x40
	xactHasInfo        = 0x80
)

// Flags of xl_xact_xinfo that matter on the way to a prepared transaction's id.
const (
	xinfoDatabase  = 1 << 0
	xinfoSubxacts  = 1 << 1
	xinfoRelations = 1 << 2
	xinfoInvals    = 1 << 3
	xinfoTwophase  = 1 << 4
	xinfoStats     = 1 << 8
)

// endsTransaction reports whether a record is a commit or an abort, of a
// prepared transaction or not.
func endsTransaction(h RecordHeader) bool {
	if h.Rmgr != RmgrTransaction {
		return false
	}
	switch h.Info & xactOpMask {
	case xactCommit, xactAbort, xactCommitPrepared, xactAbortPrepared:
		return true
	}
	return false
}

// xactReader takes time and top-level transaction id out of a record that
// ends a transaction. It is fed the record's bytes behind the header, in
// pieces: such records can be very long, and the id of a prepared transaction
// stands behind subtransactions, dropped files and invalidation messages.
// (PostgreSQL: ParseCommitRecord, ParseAbortRecord.)
type xactReader struct {
	Time Timestamp
	XID  uint32

	HasTime, HasXID bool

	prepared bool
	hasInfo  bool
	stats    uint64 // size of an xl_xact_stats_item, bytes
	xinfo    uint32
	section  int

	step xactStep
	skip uint64
	buf  [8]byte
	have int
	need int
}

// xactStep is the field that an xactReader reads next.
type xactStep uint8

const (
	xactIdle  xactStep = iota
	xactItem           // id of what stands before the main data
	xactTime           // xact_time
	xactInfo           // xl_xact_xinfo
	xactCount          // number of items in a section
	xactXID            // xl_xact_twophase
)

// reset prepares for a record; x stays idle for one that ends no transaction.
func (x *xactReader) reset(h RecordHeader, major int) {
	x.expect(xactIdle, 0)
	if !endsTransaction(h) {
		return
	}
	op := h.Info & xactOpMask
	x.prepared = op == xactCommitPrepared || op == xactAbortPrepared
	x.hasInfo = h.Info&xactHasInfo != 0
	x.XID, x.HasXID = h.XID, !x.prepared
	x.HasTime = false
	x.section, x.skip = 0, 0
	x.stats = 12
	if major >= 18 {
		x.stats = 16
	}
	x.expect(xactItem, 1)
}

// feed takes the next bytes of the record.
func (x *xactReader) feed(b []byte) {
	for len(b) > 0 && x.step != xactIdle {
		if x.skip > 0 {
			n := min(x.skip, uint64(len(b)))
			x.skip -= n
			b = b[n:]
			continue
		}
		n := copy(x.buf[x.have:x.need], b)
		x.have += n
		b = b[n:]
		if x.have == x.need {
			x.advance()
		}
	}
}

func (x *xactReader) expect(step xactStep, bytes int) {
	x.step, x.need, x.have = step, bytes, 0
}

func (x *xactReader) advance() {
	switch x.step {
	case xactItem:
		x.item()
	case xactTime:
		x.Time, x.HasTime = Timestamp(binary.LittleEndian.Uint64(x.buf[:])), true
		x.expect(xactIdle, 0)
		if x.prepared && x.hasInfo {
			x.expect(xactInfo, 4)
		}
	case xactInfo:
		x.xinfo = binary.LittleEndian.Uint32(x.buf[:])
		x.nextSection()
	case xactCount:
		x.skip = uint64(binary.LittleEndian.Uint32(x.buf[:])) * x.itemSize()
		x.nextSection()
	case xactXID:
		x.XID, x.HasXID = binary.LittleEndian.Uint32(x.buf[:]), true
		x.expect(xactIdle, 0)
	}
}

func (x *xactReader) item() {
	switch x.buf[0] {
	case idOrigin:
		x.skip = 2
		x.expect(xactItem, 1)
	case idTopXID:
		x.skip = 4
		x.expect(xactItem, 1)
	case idMainShort:
		x.skip = 1
		x.expect(xactTime, 8)
	case idMainLong:
		x.skip = 4
		x.expect(xactTime, 8)
	default:
		x.expect(xactIdle, 0)
	}
}

// nextSection goes to the next part of the record that its flags announce, in
// the order in which PostgreSQL writes them.
func (x *xactReader) nextSection() {
	sections := [...]uint32{xinfoDatabase, xinfoSubxacts, xinfoRelations, xinfoStats, xinfoInvals, xinfoTwophase}
	for x.section < len(sections) {
		flag := sections[x.section]
		x.section++
		switch {
		case x.xinfo&flag == 0:
		case flag == xinfoDatabase:
			x.skip += 8
		case flag == xinfoTwophase:
			x.expect(xactXID, 4)
			return
		default:
			x.expect(xactCount, 4)
			return
		}
	}
	x.expect(xactIdle, 0)
}

// itemSize is the size in bytes of the items of the section whose count was
// just read: the one before x.section.
func (x *xactReader) itemSize() uint64 {
	return [...]uint64{8, 4, 12, x.stats, 16, 4}[x.section-1]
}
