package pitr

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// spool is a directory outside the data directory with a few small files that
// outlive a call. They are hints for a standby whose store is out of reach;
// nothing that a recovery rests on.
type spool struct{ dir string }

// newSpool is the spool of one archive and one data directory.
func newSpool(dir, cluster string, systemID uint64) spool {
	return spool{filepath.Join(dir, fmt.Sprintf("%s-%d", cluster, systemID))}
}

func (s spool) unreachable() string { return filepath.Join(s.dir, "unreachable") }
func (s spool) histories() string   { return filepath.Join(s.dir, "histories.json") }
func (s spool) silent() string      { return filepath.Join(s.dir, "agent-silent") }

// ago is how long ago a call left the mark: that the store was out of reach, or
// the agent silent. It is false if none did within standbyMemory. A mark from
// the future, left by a clock that was set back, counts for nothing.
func (s spool) ago(mark string, now time.Time) (time.Duration, bool) {
	info, err := os.Stat(mark)
	if err != nil {
		return 0, false
	}
	ago := now.Sub(info.ModTime())
	return ago, ago >= 0 && ago < standbyMemory
}

func (s spool) leave(mark string, now time.Time) error {
	if err := s.write(mark, nil); err != nil {
		return err
	}
	return os.Chtimes(mark, now, now)
}

// seen are the history files as the archive last had them.
type seen struct {
	At    time.Time         `json:"at"`
	Files map[string][]byte `json:"files"` // nil content: not in the archive
}

// lastSeen reads the list; false if there is none.
func (s spool) lastSeen() (seen, bool) {
	var l seen
	b, err := os.ReadFile(s.histories())
	if err != nil || json.Unmarshal(b, &l) != nil || l.Files == nil {
		return seen{}, false
	}
	return l, true
}

// note records the archive's answer about one history file.
func (s spool) note(name string, content []byte, now time.Time) error {
	l, ok := s.lastSeen()
	if !ok {
		l.Files = map[string][]byte{}
	}
	l.At, l.Files[name] = now.UTC(), content
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return s.write(s.histories(), b)
}

// write replaces a file of the spool as a whole.
func (s spool) write(path string, b []byte) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it has no such name
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
