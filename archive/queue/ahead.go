package queue

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// activeFor is how long after a call the agent pushes ahead. A DBA who
	// empties archive_command has stopped archiving.
	activeFor = 2 * time.Minute
	pollEvery = time.Second
	// lookPause is the least time between two looks into archive_status, which
	// may have very many entries.
	lookPause = 50 * time.Millisecond
	// window is how many files, from the one that PostgreSQL asks for next, are
	// pushed ahead of it.
	window = 64
	// After a failure nothing is pushed ahead for a while: calls tell whether
	// the trouble is over. A file that failed waits longer, it may be to blame.
	troublePause = 10 * time.Second
	failedPause  = time.Minute
)

const readySuffix = ".ready"

func (p *Pusher) statusDir() string { return filepath.Join(p.dir, "pg_wal", "archive_status") }

// Run pushes ahead until ctx ends: what PostgreSQL has marked as ready and not
// asked for yet.
func (p *Pusher) Run(ctx context.Context) {
	files := make(chan string)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(files)
	for range p.Workers {
		workers.Go(func() {
			for path := range files {
				p.ahead(path)
			}
		})
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.wake:
		}
		if p.active() {
			p.look(ctx, files)
		}
	}
}

func (p *Pusher) active() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.asked.IsZero() && p.Now().Sub(p.asked) < activeFor
}

// look hands out the files that are ready.
func (p *Pusher) look(ctx context.Context, files chan<- string) {
	pause := time.After(lookPause)
	p.forget()
	names, err := nextReady(p.statusDir(), window)
	if err != nil {
		p.Log.Warn("cannot look for WAL that is ready", "error", err)
	}
	for _, name := range names {
		select {
		case files <- filepath.Join(p.dir, "pg_wal", name):
		case <-ctx.Done():
			return
		}
	}
	select {
	case <-pause:
	case <-ctx.Done():
	}
}

// ahead pushes one file, if that is to be done now, and waits for its end.
func (p *Pusher) ahead(path string) {
	file, err := Stat(path)
	if err != nil {
		return // PostgreSQL removes such marks itself
	}
	if f := p.begin(file); f != nil {
		<-f.ended
	}
}

func (p *Pusher) begin(file File) *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	recent := func(t time.Time, pause time.Duration) bool { return !t.IsZero() && now.Sub(t) < pause }
	if recent(p.trouble, troublePause) || recent(p.failed[file.Path], failedPause) {
		return nil
	}
	if f, ok := p.done[file.Path]; ok && f.file.same(file) {
		return nil
	}
	if _, ok := p.flights[file.Path]; ok {
		return nil
	}
	return p.start(file)
}

// forget drops what PostgreSQL does not ask for any more.
func (p *Pusher) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for path := range p.done {
		if !exists(p.mark(path)) {
			delete(p.done, path)
		}
	}
	for path := range p.failed {
		if !exists(p.mark(path)) {
			delete(p.failed, path)
		}
	}
}

// nextReady lists the most urgent files that are marked as ready, at most
// most, in the order in which PostgreSQL asks for them: history files first,
// then by name. It holds no more of the directory than that.
func nextReady(dir string, most int) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var first []string
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			if name, ok := strings.CutSuffix(name, readySuffix); ok {
				first = insert(first, name, most)
			}
		}
		if errors.Is(err, io.EOF) {
			return first, nil
		}
		if err != nil {
			return first, err
		}
	}
}

func insert(first []string, name string, most int) []string {
	i, _ := slices.BinarySearchFunc(first, name, urgency)
	if i == most {
		return first
	}
	first = slices.Insert(first, i, name)
	return first[:min(len(first), most)]
}

// urgency orders names as PostgreSQL's archiver does (ready_file_comparator).
func urgency(a, b string) int {
	history := func(s string) bool { return strings.HasSuffix(s, ".history") }
	switch {
	case history(a) && !history(b):
		return -1
	case history(b) && !history(a):
		return 1
	}
	return strings.Compare(a, b)
}
