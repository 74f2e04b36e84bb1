package pitr

import (
	"errors"
	"os"
	"path/filepath"
)

// Situation is what the server that asks for WAL is doing.
type Situation int

const (
	// ByHand: no signal file is there; pg_rewind asks, or a person.
	ByHand Situation = iota + 1
	// Recovery: an archive recovery, or a standby that has nothing but the archive.
	Recovery
	// Standby: a standby that can stream from its primary.
	Standby
)

func (s Situation) String() string {
	switch s {
	case ByHand:
		return "by hand"
	case Recovery:
		return "recovery"
	case Standby:
		return "standby"
	}
	return "unknown"
}

// Detect looks at the signal files of the data directory at path. As in
// PostgreSQL standby.signal wins over recovery.signal. A standby without
// primary_conninfo counts as a recovery.
func Detect(path string) (Situation, error) {
	standby, err := exists(filepath.Join(path, "standby.signal"))
	if err != nil {
		return 0, err
	}
	recovery, err := exists(filepath.Join(path, "recovery.signal"))
	if err != nil {
		return 0, err
	}
	switch {
	case standby && streams(path):
		return Standby, nil
	case standby || recovery:
		return Recovery, nil
	}
	return ByHand, nil
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
