package storagetest

import (
	"context"
	"time"

	"walarchive/storage"
)

// A fault is a way to fail that a Flaky's Fail returns as an error.
type fault struct {
	text  string
	wait  func(ctx context.Context) error // before the call reaches the bucket
	lost  bool                            // the call is done and its answer lost
	cut   int64                           // bytes or objects until the stream ends, -1: all
	quiet bool                            // it ends without an error
}

func (f *fault) Error() string { return f.text }

// Lost lets the call do its work and loses the answer: a Put stores its object
// and returns storage.ErrUnavailable.
func Lost() error { return &fault{text: "answer lost", lost: true, cut: -1} }

// Cut breaks a stream with storage.ErrUnavailable: a Put's or Get's body after
// n bytes, a List after n objects. Shorter ones stay whole.
func Cut(n int64) error { return &fault{text: "cut", cut: n} }

// Short ends a Get's body after n bytes, or a List after n objects, as if that
// were all: a store that lies.
func Short(n int64) error { return &fault{text: "short", cut: n, quiet: true} }

// Delay holds the call back for d, or until its context ends.
func Delay(d time.Duration) error {
	return &fault{text: "delayed", cut: -1, wait: func(ctx context.Context) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// Block holds the call back until its context ends.
func Block() error {
	return &fault{text: "blocked", cut: -1, wait: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
}

// Hang holds the call back until the channel is closed, whatever its context
// says: a system call on a share whose server is gone.
func Hang(until <-chan struct{}) error {
	return &fault{text: "hung", cut: -1, wait: func(context.Context) error {
		<-until
		return nil
	}}
}

var noFault = &fault{cut: -1}

// answer is the error of a call that the bucket answered with err.
func (f *fault) answer(op, name string, err error) error {
	if f.lost {
		return &storage.Error{Op: op, Name: name, Err: storage.ErrUnavailable}
	}
	return err
}
