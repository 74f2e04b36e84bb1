package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// grace is how long a call has to return after its context ended, before it
// is left behind.
const grace = 250 * time.Millisecond

// A watch is over one operation: a call, or a Get with its body or a List with
// its objects. All but progress belong to the caller's goroutine.
type watch struct {
	t        *timeout
	op, name string
	ctx      context.Context // what the store gets
	end      context.CancelFunc
	start    time.Time
	last     atomic.Int64 // time of the last progress since start, in ns
	expired  error        // set when a limit was reached
	left     bool         // a call was left behind
}

func (t *timeout) watch(ctx context.Context, op, name string) *watch {
	w := &watch{t: t, op: op, name: name, start: time.Now()}
	w.ctx, w.end = context.WithCancel(ctx)
	return w
}

func (w *watch) progress() { w.last.Store(int64(time.Since(w.start))) }

// rest is how long the store may still be silent under limit.
func (w *watch) rest(limit time.Duration) time.Duration {
	rest := time.Duration(math.MaxInt64)
	now := time.Since(w.start)
	if limit > 0 {
		rest = time.Duration(w.last.Load()) + limit - now
	}
	if total := w.t.limits.Total; total > 0 {
		rest = min(rest, total-now)
	}
	return rest
}

// enter takes a place among the calls, of which hung ones may hold all.
func (w *watch) enter(limit time.Duration) error {
	select {
	case w.t.calls <- struct{}{}:
		return nil
	default:
	}
	w.progress()
	timer := time.NewTimer(w.rest(limit))
	defer timer.Stop()
	select {
	case w.t.calls <- struct{}{}:
		return nil
	case <-timer.C:
		w.expire(limit, fmt.Sprintf("none of %d earlier calls returned", maxCalls))
	case <-w.ctx.Done():
	}
	return w.why()
}

func (w *watch) leave() { <-w.t.calls }

// expire ends the watch because the store was silent for too long.
func (w *watch) expire(limit time.Duration, what string) {
	during := fmt.Sprintf("for %v", limit)
	if total := w.t.limits.Total; total > 0 && time.Since(w.start) >= total {
		during = fmt.Sprintf("in the %v of the whole call", total)
	}
	err := errors.New(what + " " + during)
	w.expired = &Error{w.op, w.name, Classify(err, ErrUnavailable, "is the store reachable? A slow one needs higher time limits")}
	w.end()
}

// why is the reason for which the watch ended.
func (w *watch) why() error {
	if w.expired != nil {
		return w.expired
	}
	return &Error{w.op, w.name, w.ctx.Err()}
}

// explain is err, or the limit that led to it.
func (w *watch) explain(err error) error {
	if err != nil && w.expired != nil {
		return w.expired
	}
	return err
}

// await is what f returns, if the watch does not end before. A value that
// comes after that goes to late, which may be nil.
func await[T any](w *watch, limit time.Duration, f func() (T, error), late func(T)) (T, error) {
	if err := w.enter(limit); err != nil {
		var zero T
		return zero, err
	}
	return start(f, late, w.leave).wait(w, limit)
}

// A call runs in a goroutine of its own, until it is done or left behind.
type call[T any] struct {
	value T
	err   error
	done  chan struct{} // gets one when value and err are there
	left  chan struct{} // closed when nobody waits any more
}

// start starts f, and whether it is waited for or not, calls finally last.
func start[T any](f func() (T, error), late func(T), finally func()) *call[T] {
	c := &call[T]{done: make(chan struct{}), left: make(chan struct{})}
	go func() {
		defer finally()
		c.value, c.err = f()
		select {
		case c.done <- struct{}{}:
		case <-c.left:
			if late != nil {
				late(c.value)
			}
		}
	}()
	return c
}

func (c *call[T]) wait(w *watch, limit time.Duration) (T, error) {
	w.progress()
	timer := time.NewTimer(w.rest(limit))
	defer timer.Stop()
	for {
		select {
		case <-c.done:
			return c.value, w.explain(c.err)
		case <-w.ctx.Done():
			return c.end(w)
		case <-timer.C:
			if rest := w.rest(limit); rest > 0 {
				timer.Reset(rest)
				continue
			}
			w.expire(limit, "no answer")
		}
	}
}

// end gives c, whose context ended, a last chance, and leaves it behind.
func (c *call[T]) end(w *watch) (T, error) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.value, w.explain(c.err)
	case <-timer.C:
		close(c.left)
		w.left = true
		var zero T
		return zero, w.why()
	}
}
