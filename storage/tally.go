package storage

import (
	"context"
	"sync/atomic"
)

// A Tally counts the retries of all calls under one context: what a piece of
// work that went well in the end had to put up with.
type Tally struct{ retries atomic.Int64 }

// Retries is how often a call was repeated so far.
func (t *Tally) Retries() int { return int(t.retries.Load()) }

type tallyKey struct{}

// WithTally counts the retries of calls under the context that it returns. If
// those of ctx are counted already, it is the same count that goes on.
func WithTally(ctx context.Context) (context.Context, *Tally) {
	if t, ok := ctx.Value(tallyKey{}).(*Tally); ok {
		return ctx, t
	}
	t := new(Tally)
	return context.WithValue(ctx, tallyKey{}, t), t
}

// Retried counts one retry. WithRetry does it; others who repeat calls do it
// themselves.
func Retried(ctx context.Context) {
	if t, ok := ctx.Value(tallyKey{}).(*Tally); ok {
		t.retries.Add(1)
	}
}
