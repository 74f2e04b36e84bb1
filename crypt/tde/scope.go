package tde

import (
	"fmt"
	"strconv"
	"strings"
)

// Scope is what a principal key is for: the server's WAL, the default of those
// who have none of their own, or one database, by its oid. It prints as
// "server", "default" or "database 5". (pg_tde: GLOBAL_DATA_TDE_OID,
// DEFAULT_DATA_TDE_OID.)
type Scope uint32

// The scopes that are no database.
const (
	DefaultScope Scope = 1663
	ServerScope  Scope = 1664
)

func (s Scope) String() string {
	switch s {
	case DefaultScope:
		return "default"
	case ServerScope:
		return "server"
	}
	return "database " + strconv.FormatUint(uint64(s), 10)
}

// MarshalText is String.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Scope) UnmarshalText(b []byte) error {
	switch text := string(b); text {
	case "default":
		*s = DefaultScope
	case "server":
		*s = ServerScope
	default:
		n, err := strconv.ParseUint(strings.TrimPrefix(text, "database "), 10, 32)
		if *s = Scope(n); err != nil || s.String() != text {
			return fmt.Errorf("%q is no scope of a key", text)
		}
	}
	return nil
}

// keyFile is the name of the file whose header names the scope's principal
// key.
func (s Scope) keyFile() string {
	if s == ServerScope {
		return "wal_keys"
	}
	return strconv.FormatUint(uint64(s), 10) + "_keys"
}

// providersOf is the scope in whose file the provider of that id is looked up:
// negative ids are the server's.
func (s Scope) providersOf(id int32) Scope {
	if id < 0 {
		return ServerScope
	}
	return s
}
