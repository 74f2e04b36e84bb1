package archive

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// eventNote is what a node last put into the event log, kept so that a push
// with nothing to add asks the store nothing. It is a hint: when it is lost,
// the newest entries of the log are read once.
type eventNote struct {
	Snapshot  crypt.Digest  `json:"snapshot"`       // of the snapshot's JSON; zeros: none
	Timeline  wal.Timeline  `json:"timeline"`       // that the snapshot was recorded on
	Preserved bool          `json:"preserved"`      // as it was recorded
	Tip       ChainTip      `json:"tip"`            // the newest entry then
	Open      []wal.Segment `json:"open,omitempty"` // that may end in the middle of a record of pg_tde's
}

// maxOpen bounds the open segments that are kept in mind: as many as are pushed
// at once, and more.
const maxOpen = 32

func (n *eventNote) addOpen(seg wal.Segment) {
	if !slices.Contains(n.Open, seg) {
		n.Open = append(slices.Clone(n.Open), seg)
		n.Open = n.Open[max(0, len(n.Open)-maxOpen):]
	}
}

func (n *eventNote) dropOpen(seg wal.Segment) {
	n.Open = slices.DeleteFunc(slices.Clone(n.Open), func(s wal.Segment) bool { return s == seg })
}

// eventNotes are the notes of the nodes whose WAL this process archives.
type eventNotes struct {
	mu    sync.Mutex
	known map[string]eventNote
}

// note finds the note of the push's node: in memory, else in the spool.
func (p *push) note() (eventNote, bool) {
	p.notes.mu.Lock()
	defer p.notes.mu.Unlock()
	return p.noteLocked()
}

func (p *push) noteLocked() (eventNote, bool) {
	n, ok := p.notes.known[p.node()]
	if ok || p.Spool == "" {
		return n, ok
	}
	b, err := os.ReadFile(p.noteFile())
	if err != nil || json.Unmarshal(b, &n) != nil {
		return eventNote{}, false
	}
	return n, true
}

// changeNote changes the note. That it cannot be written down costs requests
// and nothing else.
func (p *push) changeNote(change func(n *eventNote)) {
	p.notes.mu.Lock()
	defer p.notes.mu.Unlock()
	n, _ := p.noteLocked()
	change(&n)
	if p.notes.known == nil {
		p.notes.known = map[string]eventNote{}
	}
	p.notes.known[p.node()] = n
	if p.Spool == "" {
		return
	}
	b, err := json.Marshal(n)
	if err == nil {
		err = replaceFile(p.noteFile(), b)
	}
	if err != nil {
		p.Log.Warn("every push reads the event log of pg_tde's keys, for the spool cannot be written: see spool.path", "reason", err)
	}
}

// node names the server in the event log.
func (p *push) node() string { return clip(p.Host+":"+p.dir.Path, maxNode) }

const maxNode = 1024 // bytes

// noteFile is where the note lies, by archive, incarnation and node.
func (p *push) noteFile() string {
	id := sha256.Sum256(fmt.Appendf(nil, "%v\x00%d\x00%s", p.Anchor(), p.inc.Number, p.node()))
	return filepath.Join(p.Spool, fmt.Sprintf("events-%x.json", id[:8]))
}

// replaceFile writes a file of the spool as a whole. It may be lost in a
// crash, but never be half there.
func replaceFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		return os.Rename(f.Name(), path)
	}
	if e := os.Remove(f.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}
