package storage

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Policy says how long WithRetry goes on. Whichever bound comes first ends it,
// and no wait begins that the context's deadline would cut short.
type Policy struct {
	Tries  int           // calls of the store in all; 0: no bound
	Base   time.Duration // about the first wait, doubled for each of the next; 0: 100 ms
	Max    time.Duration // the longest wait; 0: 10 s
	Budget time.Duration // from the first failure to the last try; 0: 1 min

	Repeated func() // is called before each wait; may be nil
}

// wait is the time to wait after failure n, from 1: half of what the doubling
// gives, and up to the other half by chance, so that many callers that failed
// together do not come back together.
func (p Policy) wait(n int) time.Duration {
	d := p.Base
	for i := 1; i < n && d < p.Max; i++ {
		d *= 2
	}
	half := min(d, p.Max) / 2
	return half + rand.N(half+1)
}

// tries counts the failures of one operation since it last made progress.
type tries struct {
	policy   Policy
	log      *slog.Logger
	op, name string
	failures int
	first    time.Time // of the failures
	logged   time.Time // the last line in the log
}

func (r *retry) tries(op, name string) *tries {
	return &tries{policy: r.policy, log: r.log, op: op, name: name}
}

func (t *tries) progress() { t.failures = 0 }

// again waits until the next try is due. If there is to be none it returns
// why: the error of the last try.
func (t *tries) again(ctx context.Context, err error) error {
	if Permanent(err) || ctx.Err() != nil {
		return err
	}
	if t.failures++; t.failures == 1 {
		t.first = time.Now()
	}
	wait := t.policy.wait(t.failures)
	if t.failures == t.policy.Tries || t.late(ctx, time.Now().Add(wait)) {
		return fmt.Errorf("%w (%d tries)", err, t.failures)
	}
	Retried(ctx)
	t.report(err, wait)
	if t.policy.Repeated != nil {
		t.policy.Repeated()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &Error{t.op, t.name, fmt.Errorf("%w while waiting to repeat it after: %v", ctx.Err(), err)}
	}
}

// late reports whether a try at the time next would come too late.
func (t *tries) late(ctx context.Context, next time.Time) bool {
	deadline, ok := ctx.Deadline()
	return next.Sub(t.first) > t.policy.Budget || ok && !next.Before(deadline)
}

// report logs the first failure, and of those that follow one a minute.
func (t *tries) report(err error, wait time.Duration) {
	if now := time.Now(); now.Sub(t.logged) >= time.Minute {
		t.logged = now
		t.log.Warn("storage call failed, repeating it",
			"op", t.op, "name", t.name, "failures", t.failures, "wait", wait.Round(time.Millisecond), "error", err)
	}
}
