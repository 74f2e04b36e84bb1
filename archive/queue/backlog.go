package queue

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"walarchive/archive/wal"
)

// Backlog is what PostgreSQL has ready for archiving and has not been told is
// done.
type Backlog struct {
	Files   int     `json:"files"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // since the first of them became ready
	First   string  `json:"first,omitempty"`
}

// LookBacklog looks into pg_wal/archive_status of a data directory, whose
// segments have size bytes.
func LookBacklog(dir string, size int64, now time.Time) (Backlog, error) {
	status := filepath.Join(dir, "pg_wal", "archive_status")
	d, err := os.Open(status)
	if err != nil {
		return Backlog{}, err
	}
	defer d.Close()
	var b Backlog
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			if file, ok := strings.CutSuffix(name, readySuffix); ok {
				b.add(file, size)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Backlog{}, err
		}
	}
	if info, err := os.Stat(filepath.Join(status, b.First+readySuffix)); b.First != "" && err == nil {
		b.Seconds = max(0, now.Sub(info.ModTime()).Seconds())
	}
	return b, nil
}

func (b *Backlog) add(file string, size int64) {
	b.Files++
	if n, err := wal.ParseName(file, size); err == nil && (n.Kind == wal.KindSegment || n.Kind == wal.KindPartial) {
		b.Bytes += size
	}
	if b.First == "" || urgency(file, b.First) < 0 {
		b.First = file
	}
}
