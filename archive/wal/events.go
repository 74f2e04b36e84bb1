package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// RestorePoint is a user's label in the WAL (PostgreSQL: xl_restore_point).
type RestorePoint struct {
	LSN  LSN       `json:"lsn"`
	Time Timestamp `json:"time"`
	Name Text      `json:"name"`
}

func parseRestorePoint(lsn LSN, b []byte) (p RestorePoint, ok bool) {
	if len(b) < 9 {
		return p, false
	}
	return RestorePoint{lsn, timestampAt(b), textAt(b[8:])}, true
}

// Kinds of checkpoints.
const (
	CheckpointShutdown = "shutdown"
	CheckpointOnline   = "online"
)

// Checkpoint is a checkpoint record (PostgreSQL: CheckPoint).
type Checkpoint struct {
	LSN          LSN       `json:"lsn"`
	Kind         string    `json:"kind"`
	Redo         LSN       `json:"redo"` // replay from this checkpoint begins here
	Timeline     Timeline  `json:"timeline"`
	PrevTimeline Timeline  `json:"prev_timeline"` // another one if the record begins a timeline
	FullPages    bool      `json:"full_page_writes"`
	Level        *WALLevel `json:"wal_level,omitempty"` // from PostgreSQL 17 on
	NextXID      uint64    `json:"next_xid,string"`     // with its epoch
	NextOID      uint32    `json:"next_oid"`
	NextMulti    uint32    `json:"next_multi"`
	OldestXID    uint32    `json:"oldest_xid"`
	OldestMulti  uint32    `json:"oldest_multi"`
	Time         Timestamp `json:"time"`
	OldestActive uint32    `json:"oldest_active_xid,omitempty"` // of online checkpoints
}

func parseCheckpoint(lsn LSN, info uint8, b []byte, major int) (c Checkpoint, ok bool) {
	if len(b) < 84 {
		return c, false
	}
	c = Checkpoint{
		LSN:          lsn,
		Kind:         CheckpointOnline,
		Redo:         LSN(binary.LittleEndian.Uint64(b)),
		Timeline:     Timeline(binary.LittleEndian.Uint32(b[8:])),
		PrevTimeline: Timeline(binary.LittleEndian.Uint32(b[12:])),
		FullPages:    b[16] != 0,
		NextXID:      binary.LittleEndian.Uint64(b[24:]),
		NextOID:      binary.LittleEndian.Uint32(b[32:]),
		NextMulti:    binary.LittleEndian.Uint32(b[36:]),
		OldestXID:    binary.LittleEndian.Uint32(b[44:]),
		OldestMulti:  binary.LittleEndian.Uint32(b[52:]),
		Time:         unixTimestamp(int64(binary.LittleEndian.Uint64(b[64:]))),
		OldestActive: binary.LittleEndian.Uint32(b[80:]),
	}
	if info == infoCheckpointShutdown {
		c.Kind = CheckpointShutdown
	}
	if major >= 17 {
		c.Level = walLevelAt(b[20:])
	}
	return c, true
}

// EndOfRecovery ends a recovery and usually begins a timeline
// (PostgreSQL: xl_end_of_recovery).
type EndOfRecovery struct {
	LSN          LSN       `json:"lsn"`
	Time         Timestamp `json:"time"`
	Timeline     Timeline  `json:"timeline"`
	PrevTimeline Timeline  `json:"prev_timeline"`
	Level        *WALLevel `json:"wal_level,omitempty"` // from PostgreSQL 17 on
}

func parseEndOfRecovery(lsn LSN, b []byte, major int) (e EndOfRecovery, ok bool) {
	if len(b) < 16 || major >= 17 && len(b) < 20 {
		return e, false
	}
	e = EndOfRecovery{
		LSN:          lsn,
		Time:         timestampAt(b),
		Timeline:     Timeline(binary.LittleEndian.Uint32(b[8:])),
		PrevTimeline: Timeline(binary.LittleEndian.Uint32(b[12:])),
	}
	if major >= 17 {
		e.Level = walLevelAt(b[16:])
	}
	return e, true
}

// BackupEnd ends a base backup taken from a primary: a server restored from
// it is consistent only behind this record (PostgreSQL: XLOG_BACKUP_END).
type BackupEnd struct {
	LSN   LSN `json:"lsn"`
	Start LSN `json:"start"` // the backup's, as in its label
}

func parseBackupEnd(lsn LSN, b []byte) (e BackupEnd, ok bool) {
	if len(b) < 8 {
		return e, false
	}
	return BackupEnd{lsn, LSN(binary.LittleEndian.Uint64(b))}, true
}

// ParameterChange has the settings of the source that a server in recovery
// must not stay below (PostgreSQL: xl_parameter_change).
type ParameterChange struct {
	LSN                  LSN      `json:"lsn"`
	MaxConnections       int32    `json:"max_connections"`
	MaxWorkerProcesses   int32    `json:"max_worker_processes"`
	MaxWALSenders        int32    `json:"max_wal_senders"`
	MaxPreparedXacts     int32    `json:"max_prepared_transactions"`
	MaxLocksPerXact      int32    `json:"max_locks_per_transaction"`
	Level                WALLevel `json:"wal_level"`
	LogHints             bool     `json:"wal_log_hints"`
	TrackCommitTimestamp bool     `json:"track_commit_timestamp"`
}

func parseParameterChange(lsn LSN, b []byte) (p ParameterChange, ok bool) {
	if len(b) < 26 {
		return p, false
	}
	at := func(i int) int32 { return int32(binary.LittleEndian.Uint32(b[i:])) }
	return ParameterChange{
		LSN:                  lsn,
		MaxConnections:       at(0),
		MaxWorkerProcesses:   at(4),
		MaxWALSenders:        at(8),
		MaxPreparedXacts:     at(12),
		MaxLocksPerXact:      at(16),
		Level:                WALLevel(at(20)),
		LogHints:             b[24] != 0,
		TrackCommitTimestamp: b[25] != 0,
	}, true
}

// Tablespace is a CREATE TABLESPACE: replay makes a directory at the path,
// or inside the data directory if that is empty
// (PostgreSQL: xl_tblspc_create_rec).
type Tablespace struct {
	LSN  LSN    `json:"lsn"`
	OID  uint32 `json:"oid"`
	Path Text   `json:"path"`
}

const infoTablespaceCreate = 0x00

func parseTablespace(lsn LSN, b []byte) (t Tablespace, ok bool) {
	if len(b) < 5 {
		return t, false
	}
	return Tablespace{lsn, binary.LittleEndian.Uint32(b), textAt(b[4:])}, true
}

// Overwrite says that a record was never finished: a server crashed while
// writing it and went on at LSN (PostgreSQL: xl_overwrite_contrecord).
type Overwrite struct {
	LSN  LSN       `json:"lsn"`
	Void LSN       `json:"overwritten"` // the unfinished record
	Time Timestamp `json:"time"`
}

func parseOverwrite(lsn LSN, b []byte) (o Overwrite, ok bool) {
	if len(b) < 16 {
		return o, false
	}
	return Overwrite{lsn, LSN(binary.LittleEndian.Uint64(b)), timestampAt(b[8:])}, true
}

// TDEInfo is the kind of a pg_tde record. It prints as 0x20.
type TDEInfo uint8

// The pg_tde records that the facts hold in full.
const (
	TDEAddPrincipalKey    TDEInfo = 0x10
	TDERotatePrincipalKey TDEInfo = 0x20
	TDEWriteKeyProvider   TDEInfo = 0x30
	TDEDeletePrincipalKey TDEInfo = 0x60
)

func (i TDEInfo) String() string { return fmt.Sprintf("0x%02X", uint8(i)) }

// MarshalText is String.
func (i TDEInfo) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (i *TDEInfo) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 0, 8)
	if *i = TDEInfo(n); err != nil || i.String() != string(b) {
		return fmt.Errorf("%q is no kind of pg_tde record", b)
	}
	return nil
}

// TDERecord is a record of pg_tde, or of open_pg_tde: WAL alone does not tell
// them apart. The payload holds no key material, but names of keys and
// addresses of their providers; package tde reads it.
type TDERecord struct {
	LSN     LSN     `json:"lsn"`
	Info    TDEInfo `json:"info"`
	Payload []byte  `json:"payload"`
}

// WALLevel is how much PostgreSQL writes to the WAL (PostgreSQL: WalLevel).
type WALLevel int32

// PostgreSQL's levels; a replica or a point-in-time recovery cannot cross
// WAL of the minimal one.
const (
	LevelMinimal WALLevel = iota
	LevelReplica
	LevelLogical
)

var walLevels = [...]string{"minimal", "replica", "logical"}

func (l WALLevel) String() string {
	if l >= 0 && int(l) < len(walLevels) {
		return walLevels[l]
	}
	return strconv.Itoa(int(l))
}

// MarshalText is String.
func (l WALLevel) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (l *WALLevel) UnmarshalText(b []byte) error {
	for i, s := range walLevels {
		if string(b) == s {
			*l = WALLevel(i)
			return nil
		}
	}
	n, err := strconv.ParseInt(string(b), 10, 32)
	if *l = WALLevel(n); err != nil || l.String() != string(b) {
		return fmt.Errorf("%q is no WAL level", b)
	}
	return nil
}

func walLevelAt(b []byte) *WALLevel {
	l := WALLevel(binary.LittleEndian.Uint32(b))
	return &l
}

func timestampAt(b []byte) Timestamp { return Timestamp(binary.LittleEndian.Uint64(b)) }

// unixTimestamp turns PostgreSQL's pg_time_t, seconds since 1970, into a
// Timestamp; what does not fit becomes the nearest that does.
func unixTimestamp(sec int64) Timestamp {
	const limit = math.MaxInt64/1_000_000 - unixEpoch2000
	return Timestamp((min(max(sec, -limit), limit) - unixEpoch2000) * 1e6)
}

// textAt is the C string at the beginning of b, or all of b if no NUL ends it.
func textAt(b []byte) Text {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return Text(b)
}
