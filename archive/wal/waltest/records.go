package waltest

import "walarchive/archive/wal"

// Infos of the records made here (PostgreSQL: catalog/pg_control.h,
// access/xact.h).
const (
	infoCheckpointShutdown = 0x00
	infoCheckpointOnline   = 0x10
	infoNoop               = 0x20
	infoSwitch             = 0x40
	infoBackupEnd          = 0x50
	infoParameterChange    = 0x60
	infoRestorePoint       = 0x70
	infoEndOfRecovery      = 0x90
	infoOverwrite          = 0xD0

	xactCommit         = 0x00
	xactAbort          = 0x20
	xactCommitPrepared = 0x30
	xactAbortPrepared  = 0x40
	xactHasInfo        = 0x80
)

// Xact is the end of a transaction.
type Xact struct {
	XID      uint32 // top-level
	Time     wal.Timestamp
	Prepared bool // it was prepared, under the name "gid"

	// How many of each the record names.
	Subxacts, Relations, Stats, Invals int
	Database                           bool
	Origin                             bool
}

// Commit writes the record that commits x.
func (w *Writer) Commit(x Xact) wal.LSN { return w.xact(xactCommit, xactCommitPrepared, x) }

// Abort writes the record that aborts x; those have no invalidations.
func (w *Writer) Abort(x Xact) wal.LSN {
	x.Invals = 0
	return w.xact(xactAbort, xactAbortPrepared, x)
}

func (w *Writer) xact(info, prepared uint8, x Xact) wal.LSN {
	xid := x.XID
	if x.Prepared {
		info, xid = prepared, 0
	}
	stat := 12
	if w.id.Major >= 18 {
		stat = 16
	}
	var xinfo uint32
	var body []byte
	section := func(flag uint32, n, size int) {
		if n > 0 {
			xinfo |= flag
			body = append(append(body, le32(uint32(n))...), make([]byte, n*size)...)
		}
	}
	if x.Database {
		xinfo |= 1 << 0
		body = append(body, le32(5, 1663)...)
	}
	section(1<<1, x.Subxacts, 4)
	section(1<<2, x.Relations, 12)
	section(1<<8, x.Stats, stat)
	section(1<<3, x.Invals, 16)
	if x.Prepared {
		xinfo |= 1<<4 | 1<<7
		body = append(append(body, le32(x.XID)...), "gid\x00"...)
	}
	if x.Origin {
		xinfo |= 1 << 5
		body = append(body, le64(1, 1)...)
	}
	data := le64(uint64(x.Time))
	if xinfo != 0 {
		info |= xactHasInfo
		data = append(append(data, le32(xinfo)...), body...)
	}
	return w.Record(wal.RmgrTransaction, info, xid, data)
}

// RestorePoint writes what pg_create_restore_point writes.
func (w *Writer) RestorePoint(name string, at wal.Timestamp) wal.LSN {
	data := make([]byte, 8+64)
	copy(data, le64(uint64(at)))
	copy(data[8:len(data)-1], name)
	return w.Record(wal.RmgrXLOG, infoRestorePoint, 0, data)
}

// Checkpoint writes a checkpoint whose replay begins at its own address
// (shutdown) or at redo (online, redo not zero).
func (w *Writer) Checkpoint(redo wal.LSN, nextXID uint64) wal.LSN {
	w.open()
	info := uint8(infoCheckpointOnline)
	if redo == 0 {
		info, redo = infoCheckpointShutdown, w.pos
	}
	level := uint32(0)
	if w.id.Major >= 17 {
		level = uint32(wal.LevelReplica)
	}
	data := le64(uint64(redo))
	data = append(data, le32(uint32(w.tli), uint32(w.tli), 1, level)...)
	data = append(data, le64(nextXID)...)
	data = append(data, le32(24576, 1, 0, 730, 1, 1, 1, 0)...)
	data = append(data, le64(1_780_000_000)...)
	data = append(data, le32(0, 0, uint32(nextXID), 0)...)
	return w.Record(wal.RmgrXLOG, info, 0, data)
}

// BackupEnd writes the end of a base backup that began at start.
func (w *Writer) BackupEnd(start wal.LSN) wal.LSN {
	return w.Record(wal.RmgrXLOG, infoBackupEnd, 0, le64(uint64(start)))
}

// ParameterChange writes the settings p; its LSN is not looked at.
func (w *Writer) ParameterChange(p wal.ParameterChange) wal.LSN {
	data := le32(uint32(p.MaxConnections), uint32(p.MaxWorkerProcesses), uint32(p.MaxWALSenders),
		uint32(p.MaxPreparedXacts), uint32(p.MaxLocksPerXact), uint32(p.Level))
	data = append(data, bit(p.LogHints), bit(p.TrackCommitTimestamp), 0, 0)
	return w.Record(wal.RmgrXLOG, infoParameterChange, 0, data)
}

// Tablespace writes a CREATE TABLESPACE.
func (w *Writer) Tablespace(oid uint32, path string) wal.LSN {
	data := append(le32(oid), path...)
	return w.Record(wal.RmgrTablespace, 0, 0, append(data, 0))
}

// TDE writes a record of pg_tde.
func (w *Writer) TDE(info wal.TDEInfo, payload []byte) wal.LSN {
	return w.Record(wal.RmgrTDE, uint8(info), 0, payload)
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
