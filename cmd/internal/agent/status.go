package agent

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/session"
)

// opStatus asks the agent how it does.
const opStatus = "status"

// Status is what an agent says about itself and the WAL of its server.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	DataDir string    `json:"pgdata"`

	Backlog *queue.Backlog `json:"backlog,omitempty"` // nil: it cannot be had, see BacklogError
	Last    *queue.Last    `json:"last_archived,omitempty"`
	Trouble *queue.Trouble `json:"trouble,omitempty"` // of the last push, if that failed
	Counts  queue.Counts   `json:"counts"`

	Memory int64 `json:"prefetched_memory"` // bytes
	Spool  int64 `json:"prefetched_spool"`

	Keys []KeyService `json:"keys,omitempty"`

	BacklogError string `json:"backlog_error,omitempty"`
}

// KeyService is how the connection to a key service did when it was tried last.
type KeyService struct {
	Provider string    `json:"provider"`
	Time     time.Time `json:"time"`
	Error    string    `json:"error,omitempty"`
	Ends     []Ending  `json:"ends,omitempty"`
}

// Ending is when a certificate or token ends.
type Ending struct {
	What string    `json:"what"`
	Time time.Time `json:"time"`
}

// AskStatus asks the agent of d's server how it does. Any version and any
// settings of it will do.
func AskStatus(ctx context.Context, s *session.Session, d *archive.DataDir) (*Status, error) {
	path, err := socket(s.Config, d)
	if err != nil {
		return nil, err
	}
	var status Status
	c := queue.Client{Socket: path}
	if err := c.Ask(ctx, opStatus, struct{}{}, &status); err != nil {
		return nil, err
	}
	return &status, nil
}

// ledger is what an agent remembers as long as it lives, whatever its
// configuration is.
type ledger struct {
	queue.Ledger
	dir   *archive.DataDir
	since time.Time

	mu       sync.Mutex
	keys     []KeyService
	prefetch *queue.Prefetch // of the service that calls get; nil: none yet
}

func newLedger(dir *archive.DataDir) *ledger {
	return &ledger{
		Ledger: queue.Ledger{SegmentSize: dir.Control.SegmentSize, Now: time.Now},
		dir:    dir, since: time.Now(),
	}
}

// answer is the handler of opStatus.
func (l *ledger) answer(context.Context, *queue.Call) (any, error) { return l.status(), nil }

func (l *ledger) status() *Status {
	s := &Status{Version: command.Version(), PID: os.Getpid(), Since: l.since, DataDir: l.dir.Path, Counts: l.Counts()}
	s.Last, s.Trouble = l.State()
	l.mu.Lock()
	s.Keys = l.keys
	if l.prefetch != nil {
		s.Memory, s.Spool = l.prefetch.Used()
	}
	l.mu.Unlock()
	b, err := queue.LookBacklog(l.dir.Path, l.SegmentSize, time.Now())
	if err != nil {
		s.BacklogError = err.Error()
	} else {
		s.Backlog = &b
	}
	return s
}

// serve notes whose prefetching is the one to tell of.
func (l *ledger) serve(p *queue.Prefetch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prefetch = p
}

// tried notes how the key services do.
func (l *ledger) tried(all []KeyService) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = all
}

// checkEvery is how often key services are asked whether they take the
// agent's credentials, and how long those last.
const (
	checkEvery   = time.Hour
	checkTimeout = time.Minute
)

// checkKeys looks after the key services until ctx ends.
func (v *service) checkKeys(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		if found := v.tryKeys(ctx); ctx.Err() == nil {
			v.ledger.tried(found)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (v *service) tryKeys(ctx context.Context) []KeyService {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	health, err := v.CheckProviders(ctx)
	if err != nil {
		v.Log.Warn("the key services cannot be checked", "error", err)
		return nil
	}
	var all []KeyService
	for _, h := range health {
		k := KeyService{Provider: h.Provider, Time: time.Now()}
		if h.Err != nil {
			k.Error, _ = command.Describe(h.Err)
		}
		for _, e := range h.Ends {
			k.Ends = append(k.Ends, Ending{e.What, e.End})
		}
		all = append(all, k)
	}
	return all
}

// tell keeps the status line of systemd up to date.
func (a *agent) tell() {
	last, trouble := a.ledger.State()
	text := "nothing archived yet"
	switch {
	case trouble != nil:
		text = fmt.Sprintf("cannot archive %s since %s: %s", trouble.File, trouble.Time.Format(time.DateTime), trouble.Kind)
	case last != nil:
		text = fmt.Sprintf("archived %s at %s", last.File, last.Time.Format(time.DateTime))
	}
	if text != a.told {
		a.told = text
		a.notify("STATUS=" + text)
	}
}
