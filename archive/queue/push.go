package queue

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"walarchive/archive"
)

// OpPush is the call for pushing a file.
const OpPush = "push"

// PushQuestion asks to archive a file of the server in DataDir.
type PushQuestion struct {
	DataDir string `json:"data_dir"` // absolute
	File    File   `json:"file"`
}

// PushAnswer says what became of it: it is durable.
type PushAnswer struct {
	Pushed archive.Pushed `json:"pushed"`
	Ahead  bool           `json:"ahead,omitempty"` // it was so before the call
}

// Push has the agent push a file.
func (c *Client) Push(ctx context.Context, q PushQuestion) (PushAnswer, error) {
	var a PushAnswer
	err := c.Ask(ctx, OpPush, q, &a)
	return a, err
}

// PushOptions say how a Pusher works.
type PushOptions struct {
	Timeout time.Duration // of one push, in all
	Workers int           // that push ahead
	Memory  int64         // bytes of segments in the works; see WholeLimit

	Log  *slog.Logger
	Now  func() time.Time // nil is time.Now
	Done func(Finished)   // hears of every push; may be nil
}

// Finished is a push that ended.
type Finished struct {
	File   File
	Pushed *archive.Pushed // nil if it failed
	Err    error
	Ahead  bool // nobody had asked for it yet
	Took   time.Duration
}

// Pusher archives the WAL of one data directory, each file once, whoever asks
// for it how often. Only what is durable in the store counts as done.
type Pusher struct {
	PushOptions
	dir    string
	holder *Holder
	memory *semaphore.Weighted

	mu      sync.Mutex
	flights map[string]*flight   // in the air, by path
	done    map[string]*flight   // durable, by path; forgotten when PostgreSQL has taken note
	failed  map[string]time.Time // by path; cleared when the path succeeds
	trouble time.Time            // of the last failure, zero if the last push succeeded
	asked   time.Time            // when a call came last

	wake chan struct{} // to look for work
	air  sync.WaitGroup
	ctx  context.Context // of all flights
}

// flight is one push of one file.
type flight struct {
	file     File
	asked    bool // somebody waits for it; guarded by Pusher.mu
	unwanted bool // dropped, because nobody had asked; guarded by Pusher.mu

	ended  chan struct{}
	pushed *archive.Pushed
	err    error
}

// NewPusher pushes from the data directory dir into the archive that holder
// holds. Its pushes end with ctx.
func NewPusher(ctx context.Context, dir string, holder *Holder, o PushOptions) *Pusher {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Done == nil {
		o.Done = func(Finished) {}
	}
	return &Pusher{
		PushOptions: o, dir: dir, holder: holder, ctx: ctx,
		memory:  semaphore.NewWeighted(o.Memory),
		flights: map[string]*flight{}, done: map[string]*flight{}, failed: map[string]time.Time{},
		wake: make(chan struct{}, 1),
	}
}

// Wait returns when nothing is in the air.
func (p *Pusher) Wait() { p.air.Wait() }

// Push answers a call.
func (p *Pusher) Push(ctx context.Context, q PushQuestion, _ func()) (PushAnswer, error) {
	if !sameDir(q.DataDir, p.dir) {
		return PushAnswer{}, Declinef("it serves the data directory %s", p.dir)
	}
	if !filepath.IsAbs(q.File.Path) {
		return PushAnswer{}, Declinef("%q is no absolute path", q.File.Path)
	}
	p.noteCall()
	for {
		f, ahead := p.find(q.File)
		select {
		case <-f.ended:
		case <-ctx.Done():
			return PushAnswer{}, ctx.Err()
		}
		switch {
		case !f.file.same(q.File), p.wasUnwanted(f):
			continue // that was another file, or nobody had asked for it
		case f.err != nil:
			return PushAnswer{}, f.err
		}
		return PushAnswer{Pushed: *f.pushed, Ahead: ahead}, nil
	}
}

func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

func (p *Pusher) noteCall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = p.Now()
	select {
	case p.wake <- struct{}{}:
	default: // it is to wake up already
	}
}

// find is the flight of that file, begun now if there is none; ahead says that
// it was over before. The flight may be one of another file under that path.
func (p *Pusher) find(file File) (_ *flight, ahead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.done[file.Path]; ok && f.file.same(file) {
		return f, true
	}
	f, ok := p.flights[file.Path]
	if !ok {
		f = p.start(file)
	}
	f.asked = f.asked || f.file.same(file)
	return f, false
}

// start begins a flight. p.mu is held.
func (p *Pusher) start(file File) *flight {
	f := &flight{file: file, ended: make(chan struct{})}
	p.flights[file.Path] = f
	p.air.Go(func() { p.fly(f) })
	return f
}

func (p *Pusher) fly(f *flight) {
	begin := p.Now()
	f.pushed, f.err = p.push(f)
	p.mu.Lock()
	delete(p.flights, f.file.Path)
	switch {
	case f.unwanted:
	case f.err != nil:
		p.trouble = p.Now()
		p.failed[f.file.Path] = p.trouble
	default:
		p.trouble = time.Time{}
		delete(p.failed, f.file.Path)
		p.done[f.file.Path] = f
	}
	ahead := !f.asked
	p.mu.Unlock()
	close(f.ended)
	p.Done(Finished{f.file, f.pushed, f.err, ahead, p.Now().Sub(begin)})
}

// push is one attempt, within its time and memory.
func (p *Pusher) push(f *flight) (done *archive.Pushed, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.Timeout)
	defer cancel()
	need := p.need(f.file.Size)
	if err := p.memory.Acquire(ctx, need); err != nil {
		return nil, err
	}
	defer p.memory.Release(need)
	d, err := archive.OpenDataDir(p.dir)
	if err != nil {
		return nil, err
	}
	err = p.holder.Use(ctx, func(a *archive.Archive) error {
		done, err = a.PushIf(ctx, d, f.file.Path, func(read os.FileInfo) error { return p.wanted(f, read) })
		return err
	})
	return done, err
}

// wanted reports why what was read is not to be stored: it is not the file
// that the flight is about, or nobody has asked for it and PostgreSQL's mark
// has gone.
func (p *Pusher) wanted(f *flight, read os.FileInfo) error {
	if !identify(f.file.Path, read).same(f.file) {
		return errAnother
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.asked || exists(p.mark(f.file.Path)) {
		return nil
	}
	f.unwanted = true
	return errNotReady
}

func (p *Pusher) wasUnwanted(f *flight) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f.unwanted
}

// mark is the file by which PostgreSQL says that path is to be archived.
func (p *Pusher) mark(path string) string {
	return filepath.Join(p.statusDir(), filepath.Base(path)+readySuffix)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// works is what a push takes beside the sealed segment: the frames that are
// being sealed, and the tables of the codec.
const works = 8 << 20

// WholeLimit is up to which size a segment may be sealed in memory when all
// pushes together have so much. Larger ones go through in pieces.
func WholeLimit(memory int64) int64 { return max(memory-works, 1) }

func (p *Pusher) need(size int64) int64 {
	if size > WholeLimit(p.Memory) {
		return min(2*works, p.Memory)
	}
	return size + works
}
