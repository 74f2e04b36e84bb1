package queue

import (
	"errors"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
)

// Counts are what an agent has done since it was started.
type Counts struct {
	Archived uint64 `json:"archived"` // files made durable
	Ahead    uint64 `json:"ahead"`    // of them before they were asked for
	Already  uint64 `json:"already"`  // files that were there before
	Plain    uint64 `json:"bytes"`    // of the files archived
	Stored   uint64 `json:"stored"`   // bytes that they take in the store
	Retries  uint64 `json:"retries"`  // calls of the store repeated

	Restored      uint64 `json:"restored"`
	RestoredBytes uint64 `json:"restored_bytes"`
	Absent        uint64 `json:"absent"` // files asked for behind the archive's end
	Hits          uint64 `json:"hits"`   // segments that had been fetched ahead
	Joined        uint64 `json:"joined"` // segments that were on their way
	Missed        uint64 `json:"missed"` // segments that the store was asked for

	PushFailures    map[string]uint64 `json:"push_failures,omitempty"` // by Kind
	RestoreFailures map[string]uint64 `json:"restore_failures,omitempty"`

	PushTimes    Times `json:"push_times"` // of failures too
	RestoreTimes Times `json:"restore_times"`
}

// Last is the archived segment with the highest place in the WAL.
type Last struct {
	File string    `json:"file"`
	LSN  string    `json:"lsn"` // its end
	Time time.Time `json:"time"`

	Segment wal.Segment `json:"-"`
}

// Trouble is a push that failed.
type Trouble struct {
	File string    `json:"file"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
	Time time.Time `json:"time"`
}

// Ledger counts what happens. Its methods may be called concurrently.
type Ledger struct {
	SegmentSize int64
	Now         func() time.Time

	mu      sync.Mutex
	counts  Counts
	last    *Last
	trouble *Trouble // the last one, nil after a push that succeeded
}

// Counts are those up to now.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.PushFailures, c.RestoreFailures = maps.Clone(c.PushFailures), maps.Clone(c.RestoreFailures)
	c.PushTimes, c.RestoreTimes = c.PushTimes.clone(), c.RestoreTimes.clone()
	return c
}

// State is what was archived last, and what trouble there is; nil for nothing.
func (l *Ledger) State() (*Last, *Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.trouble
}

// Pushed takes note of a push.
func (l *Ledger) Pushed(f Finished) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := filepath.Base(f.File.Path)
	l.counts.PushTimes.add(f.Took)
	switch {
	case f.Err != nil:
		count(&l.counts.PushFailures, Kind(f.Err))
		l.trouble = &Trouble{name, Kind(f.Err), clip(f.Err.Error()), l.Now()}
		return
	case f.Pushed.Already:
		l.counts.Already++
	default:
		l.counts.Archived++
		l.counts.Plain += uint64(f.Pushed.Plain)
		l.counts.Stored += uint64(f.Pushed.Sealed)
		if f.Ahead {
			l.counts.Ahead++
		}
	}
	l.trouble = nil
	l.reached(name)
}

// reached moves last on. Pushes that end out of order do not move it back.
func (l *Ledger) reached(name string) {
	seg, err := wal.ParseSegment(name, l.SegmentSize)
	if err != nil {
		return // a history or backup file
	}
	if l.last == nil || seg.Timeline > l.last.Segment.Timeline || seg.Timeline == l.last.Segment.Timeline && seg.No >= l.last.Segment.No {
		l.last = &Last{name, seg.End().String(), l.Now(), seg}
	}
}

// Got takes note of a get.
func (l *Ledger) Got(d Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case d.Err == nil:
		l.counts.Restored++
		l.counts.RestoreTimes.add(d.Took)
		l.counts.RestoredBytes += uint64(d.Got.Plain)
	case errors.Is(d.Err, archive.ErrEnd):
		l.counts.Absent++
	default:
		count(&l.counts.RestoreFailures, Kind(d.Err))
	}
}

// Fetched takes note of what became of a Get of a segment.
func (l *Ledger) Fetched(e PrefetchEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e {
	case PrefetchHit:
		l.counts.Hits++
	case PrefetchJoined:
		l.counts.Joined++
	case PrefetchMiss:
		l.counts.Missed++
	}
}

// Retried takes note of a call of the store that is repeated.
func (l *Ledger) Retried() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Retries++
}

func count(by *map[string]uint64, kind string) {
	if *by == nil {
		*by = map[string]uint64{}
	}
	(*by)[kind]++
}
