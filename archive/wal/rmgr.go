package wal

import (
	"fmt"
	"strconv"
	"strings"
)

// Rmgr numbers a resource manager, the part of PostgreSQL that wrote a record
// and replays it. (PostgreSQL: RmgrId, access/rmgrlist.h; the list is the
// same from 15 to 18.)
type Rmgr uint8

// The resource managers whose records give facts.
const (
	RmgrXLOG        Rmgr = 0
	RmgrTransaction Rmgr = 1
	RmgrTablespace  Rmgr = 5
	RmgrTDE         Rmgr = 140 // pg_tde and open_pg_tde
)

// rmgrMinCustom is the first number for extensions (PostgreSQL: RM_MIN_CUSTOM_ID).
const rmgrMinCustom Rmgr = 128

var rmgrNames = [...]string{
	"XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace",
	"MultiXact", "RelMap", "Standby", "Heap2", "Heap", "Btree", "Hash", "Gin",
	"Gist", "Sequence", "SPGist", "BRIN", "CommitTs", "ReplicationOrigin",
	"Generic", "LogicalMessage",
}

// Valid reports whether PostgreSQL would replay records of this manager: it
// is one of its own or an extension's.
func (r Rmgr) Valid() bool { return int(r) < len(rmgrNames) || r >= rmgrMinCustom }

// String is the name that pg_waldump prints; extensions are custom128 to
// custom255.
func (r Rmgr) String() string {
	switch {
	case int(r) < len(rmgrNames):
		return rmgrNames[r]
	case r >= rmgrMinCustom:
		return fmt.Sprintf("custom%03d", uint8(r))
	}
	return fmt.Sprintf("unknown%03d", uint8(r))
}

// ParseRmgr reads what String prints of a valid resource manager.
func ParseRmgr(s string) (Rmgr, error) {
	for i, name := range rmgrNames {
		if s == name {
			return Rmgr(i), nil
		}
	}
	if digits, ok := strings.CutPrefix(s, "custom"); ok && len(digits) == 3 {
		if n, err := strconv.ParseUint(digits, 10, 8); err == nil && Rmgr(n) >= rmgrMinCustom {
			return Rmgr(n), nil
		}
	}
	return 0, fmt.Errorf("%q is no resource manager", s)
}

// MarshalText makes names the keys of counts in JSON.
func (r Rmgr) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParseRmgr.
func (r *Rmgr) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRmgr(string(b))
	return err
}
