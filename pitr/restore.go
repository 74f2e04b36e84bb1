package pitr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/storage"
)

// Outcome is what PostgreSQL is to make of a call.
type Outcome int

const (
	Delivered Outcome = iota + 1 // the file is there
	Absent                       // there is no such file: the archive ends here
	Failed                       // neither is known: recovery must stop
)

// OnError overrides what a failure means to the server.
type OnError string

const (
	Auto      OnError = "auto"   // by the situation
	Stop      OnError = "stop"   // always Failed
	SayAbsent OnError = "absent" // always Absent
)

// Times that a call may take.
const (
	standbyBudget = 3 * time.Second  // on a standby, waiting for anything to arrive
	standbyMemory = 30 * time.Second // after a failure, the next calls do not even try
	byHandBudget  = time.Minute
	firstPause    = time.Second // between tries; doubled up to
	longestPause  = 15 * time.Second
	logEvery      = time.Minute
)

// Restorer answers a server's calls for WAL files.
type Restorer struct {
	// Open opens the archive. It is called again after it failed.
	Open func(ctx context.Context) (*archive.Archive, error)
	Dir  *archive.DataDir
	Get  archive.GetOptions
	// Agent is asked before the archive is opened here; nil if there is none.
	// Where it gives queue.ErrNoAnswer, the file is got without it.
	Agent func(ctx context.Context, name, dest string, o archive.GetOptions) (*archive.Got, error)

	RetryFor       time.Duration // how long a recovery waits for a store or key service in trouble
	OnError        OnError       // zero is Auto
	HistoryOnError OnError       // Stop: a standby stops rather than choose its timeline blindly
	Spool          string        // directory for small files that outlive a call
	Cluster        string        // the archive's name, for the spool

	Log   *slog.Logger
	Now   func() time.Time                                 // nil is time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil waits for real
}

// Restore delivers the WAL file name to dest, or says what its absence or
// failure means. The error explains every outcome but Delivered. When ctx ends,
// its error is returned and the outcome is Failed.
func (r *Restorer) Restore(ctx context.Context, name, dest string) (*archive.Got, Outcome, error) {
	situation, err := Detect(r.Dir.Path, dest)
	if err != nil {
		return nil, Failed, err
	}
	c := &call{Restorer: r, situation: situation, name: name, dest: dest,
		spool: newSpool(r.Spool, r.Cluster, r.Dir.Control.SystemID)}
	ctx, _ = storage.WithTally(ctx)
	got, err := c.deliver(ctx)
	outcome := c.outcome(ctx, err)
	return got, outcome, err
}

// call is one call for a file.
type call struct {
	*Restorer
	situation  Situation
	name, dest string
	spool      spool
}

// outcome says what err means to the server.
func (c *call) outcome(ctx context.Context, err error) Outcome {
	switch {
	case err == nil:
		return Delivered
	case ctx.Err() != nil:
		return Failed
	case errors.Is(err, archive.ErrEnd), errors.Is(err, errAtHand):
		return Absent
	case errors.Is(err, errUnproven) && c.HistoryOnError == Stop:
		return Failed
	case c.OnError == Stop:
		return Failed
	case c.OnError == SayAbsent || c.situation == Standby:
		return Absent
	}
	return Failed
}

var (
	// errUnproven: a standby may be choosing its timeline without knowing all.
	errUnproven = errors.New("timeline choice unproven")
	// errAtHand: PostgreSQL takes the file in pg_wal when it is told that the
	// archive has none.
	errAtHand = errors.New("PostgreSQL has the file in pg_wal")
)

// rootHistory does not exist: the first timeline has no history. PostgreSQL
// asks for it all the same.
const rootHistory = "00000001.history"

func (c *call) deliver(ctx context.Context) (*archive.Got, error) {
	switch {
	case c.name == rootHistory:
		return nil, fmt.Errorf("%w: timeline 1 has no history", archive.ErrEnd)
	case c.situation == Standby, c.situation == Promotion:
		return c.standby(ctx)
	}
	return c.retry(ctx)
}

// once asks the archive one time, through the agent or without. progress hears
// of what arrives.
func (c *call) once(ctx context.Context, progress func()) (*archive.Got, error) {
	o := c.Get
	o.Progress = progress
	if got, err := c.askAgent(ctx, o); !errors.Is(err, queue.ErrNoAnswer) {
		return got, err
	}
	a, err := c.Open(ctx)
	if err != nil {
		return nil, err
	}
	return a.Get(ctx, c.Dir, c.name, c.dest, o)
}

// askAgent asks the agent, unless a call has found it silent just now: a
// promotion makes several calls, and each would wait for it.
func (c *call) askAgent(ctx context.Context, o archive.GetOptions) (*archive.Got, error) {
	if c.Agent == nil {
		return nil, queue.ErrNoAgent
	}
	if _, ok := c.spool.ago(c.spool.silent(), c.now()); ok {
		return nil, queue.ErrSilent
	}
	got, err := c.Agent(ctx, c.name, c.dest, o)
	switch {
	case err == nil:
		_, tally := storage.WithTally(ctx)
		got.Retries += tally.Retries()
	case errors.Is(err, queue.ErrSilent):
		c.warn(c.spool.leave(c.spool.silent(), c.now()))
	}
	return got, err
}

// retry asks until there is an answer, or the time is up.
func (c *call) retry(ctx context.Context) (*archive.Got, error) {
	budget := c.RetryFor
	if c.situation == ByHand {
		budget = min(budget, byHandBudget)
	}
	start, pause := c.now(), firstPause
	var logged time.Time
	for {
		got, err := c.once(ctx, nil)
		if err == nil || ctx.Err() != nil || !c.worthRetrying(err) {
			return got, err
		}
		left := budget - c.now().Sub(start)
		if left <= 0 {
			return nil, fmt.Errorf("gave up after %v: %w", budget, err)
		}
		if c.now().Sub(logged) >= logEvery {
			logged = c.now()
			c.Log.Warn("the archive gives no answer; trying again", "file", c.name, "for", left.Round(time.Second), "error", err)
		}
		storage.Retried(ctx)
		if err := c.sleep(ctx, min(left, jitter(pause))); err != nil {
			return nil, err
		}
		pause = min(2*pause, longestPause)
	}
}

// jitter keeps servers that failed together from trying again together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

func (c *call) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *call) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
