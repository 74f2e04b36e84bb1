package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// heartbeat is how often a caller hears that its work goes on.
const heartbeat = 500 * time.Millisecond

// maxCalls bounds the calls at a time. PostgreSQL makes one or two.
const maxCalls = 64

// Call is one call as a Handler sees it.
type Call struct {
	Question json.RawMessage
	progress atomic.Int64
}

// Progress tells the caller that something has arrived.
func (c *Call) Progress() { c.progress.Add(1) }

// A Handler does what a call asks for. Its answer goes back as JSON. An error
// of Declinef sends the caller away to do it itself, others are its outcome.
// ctx ends when the caller stops waiting.
type Handler func(ctx context.Context, c *Call) (answer any, err error)

// Handle makes a Handler of a function with typed question and answer.
func Handle[Q, A any](do func(ctx context.Context, q Q, progress func()) (A, error)) Handler {
	return func(ctx context.Context, c *Call) (any, error) {
		var q Q
		if err := json.Unmarshal(c.Question, &q); err != nil {
			return nil, Declinef("it does not understand: %v", err)
		}
		return do(ctx, q, c.Progress)
	}
}

// Declinef says why the agent does not answer a call.
func Declinef(format string, args ...any) error { return declined(fmt.Sprintf(format, args...)) }

type declined string

func (d declined) Error() string { return string(d) }

// Offer is what an agent does under one configuration.
type Offer struct {
	Config   string             // its digest; calls under another one are declined
	Handlers map[string]Handler // by op
}

// Server answers calls on a socket.
type Server struct {
	Log *slog.Logger

	offer atomic.Pointer[Offer]
	calls atomic.Int64 // going on
	last  atomic.Int64 // when one ended, in nanoseconds of Unix time
}

// Offer makes o what calls get from now on; those that go on keep what they
// began with.
func (s *Server) Offer(o Offer) { s.offer.Store(&o) }

// Idle is how long there has been no call, since the last one or since then.
func (s *Server) Idle(since time.Time) time.Duration {
	if s.calls.Load() > 0 {
		return 0
	}
	return time.Since(time.Unix(0, max(s.last.Load(), since.UnixNano())))
}

// Serve answers what is on offer until ctx ends, and returns when all calls
// have their answer: ctx is not theirs.
func (s *Server) Serve(ctx context.Context, l *Listener) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.UnixListener.Close() })
	defer stop()
	free := make(chan struct{}, maxCalls)
	for {
		free <- struct{}{}
		conn, err := l.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		calls.Go(func() {
			s.calls.Add(1)
			defer func() {
				s.last.Store(time.Now().UnixNano())
				s.calls.Add(-1)
				<-free
			}()
			defer conn.Close()
			if err := s.call(context.WithoutCancel(ctx), conn); err != nil {
				s.Log.Debug("a call of the agent ended early", "error", err)
			}
		})
	}
}

// call answers one connection.
func (s *Server) call(ctx context.Context, conn *net.UnixConn) error {
	if err := checkPeer(conn); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	var q request
	if err := receive(conn, &q); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	handler, reason := s.find(q)
	if handler == nil {
		return send(conn, reply{Declined: reason})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer conn.Close()
	watch.Go(func() {
		_, _ = io.Copy(io.Discard, conn) // to its end: callers say nothing more
		cancel()
	})
	return s.serve(ctx, conn, handler, &Call{Question: q.Question})
}

func (s *Server) find(q request) (Handler, string) {
	offer := s.offer.Load()
	switch handler := offer.Handlers[q.Op]; {
	case q.Protocol != protocol:
		return nil, fmt.Sprintf("it speaks version %d of the protocol, not %d", protocol, q.Protocol)
	case handler == nil:
		return nil, fmt.Sprintf("it does not know the call %.40q", q.Op)
	case q.Config != "" && q.Config != offer.Config:
		return nil, "it runs with other settings, or is another version"
	default:
		return handler, ""
	}
}

// serve runs a handler and says meanwhile that it does.
func (s *Server) serve(ctx context.Context, conn net.Conn, handler Handler, c *Call) error {
	done := make(chan reply, 1)
	go func() { done <- outcome(handler(ctx, c)) }()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	var gone error // the caller; its handler is waited for all the same
	for {
		select {
		case r := <-done:
			if gone == nil {
				gone = s.say(conn, r)
			}
			return gone
		case <-tick.C:
			if gone == nil {
				gone = s.say(conn, reply{Working: true, Progress: c.progress.Load()})
			}
		}
	}
}

func (s *Server) say(conn net.Conn, r reply) error {
	if err := conn.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	return send(conn, r)
}

// outcome makes the last reply of what a handler gave.
func outcome(answer any, err error) reply {
	var no declined
	switch {
	case errors.As(err, &no):
		return reply{Declined: clip(string(no))}
	case err != nil:
		return reply{Failure: newFailure(err)}
	}
	text, err := json.Marshal(answer)
	if err == nil && len(text) > maxMessage-100 {
		err = fmt.Errorf("an answer of %d bytes", len(text))
	}
	if err != nil {
		return reply{Declined: err.Error()}
	}
	return reply{Answer: text}
}
