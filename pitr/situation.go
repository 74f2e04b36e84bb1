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
	// Promotion: a promotion or the end of a recovery. PostgreSQL has removed
	// the signal file and asks once more for a history: that of the timeline
	// it leaves, to write it on (writeTimeLineHistory).
	Promotion
)

func (s Situation) String() string {
	switch s {
	case ByHand:
		return "by hand"
	case Recovery:
		return "recovery"
	case Standby:
		return "standby"
	case Promotion:
		return "promotion"
	}
	return "unknown"
}

// recoveryHistory is the name under which a server restores a history file.
const recoveryHistory = "RECOVERYHISTORY"

// Detect looks at the signal files of the data directory at path, where a file
// is asked for as dest. As in PostgreSQL standby.signal wins over
// recovery.signal. A standby without primary_conninfo counts as a recovery.
func Detect(path, dest string) (Situation, error) {
	there := map[string]bool{}
	for _, name := range []string{"standby.signal", "recovery.signal", "postmaster.pid"} {
		var err error
		if there[name], err = exists(filepath.Join(path, name)); err != nil {
			return 0, err
		}
	}
	switch {
	case there["standby.signal"] && streams(path):
		return Standby, nil
	case there["standby.signal"] || there["recovery.signal"]:
		return Recovery, nil
	case there["postmaster.pid"] && filepath.Base(dest) == recoveryHistory:
		return Promotion, nil
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
