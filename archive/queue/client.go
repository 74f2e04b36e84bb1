package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

var (
	// ErrNoAnswer: there is no word from an agent about what was asked. The
	// caller does it itself.
	ErrNoAnswer = errors.New("no answer from the agent")
	// ErrNoAgent: and that is because there is none. It is an ErrNoAnswer.
	ErrNoAgent = fmt.Errorf("%w: none is running", ErrNoAnswer)
	// ErrSilent: and that is because it hangs. It is an ErrNoAnswer.
	ErrSilent = fmt.Errorf("%w: it is silent", ErrNoAnswer)
)

// silence is how long an agent may say nothing before it counts as hung.
const silence = 3 * time.Second

// Client asks the agent.
type Client struct {
	Socket   string        // path
	Config   string        // digest of what the caller would work with; see the package comment
	Silence  time.Duration // 0 is 3 s
	Progress func()        // is called when the agent says that something arrived; may be nil
}

// Ask has the agent do op. Trouble with the agent gives ErrNoAnswer; all other
// errors are the agent's own, about the work. What ends with ctx ends with its
// error.
func (c *Client) Ask(ctx context.Context, op string, question, answer any) error {
	conn, err := dial(ctx, c.Socket)
	if err != nil {
		return c.noAnswer(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	c.patience(ctx, conn)
	if err := send(conn, request{protocol, op, c.Config, text}); err != nil {
		return c.noAnswer(ctx, err)
	}
	last, err := c.wait(ctx, conn)
	switch {
	case err != nil:
		return c.noAnswer(ctx, err)
	case last.Declined != "":
		return fmt.Errorf("%w: it declines: %s", ErrNoAnswer, last.Declined)
	case last.Failure != nil:
		return last.Failure.error()
	}
	if err := json.Unmarshal(last.Answer, answer); err != nil {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return nil
}

// wait reads replies up to the one that ends the call.
func (c *Client) wait(ctx context.Context, conn net.Conn) (reply, error) {
	var progress int64
	for {
		c.patience(ctx, conn)
		var r reply
		if err := receive(conn, &r); err != nil || !r.Working {
			return r, err
		}
		if r.Progress > progress && c.Progress != nil {
			c.Progress()
		}
		progress = r.Progress
	}
}

// patience gives the agent its time for the next message, unless ctx has
// ended and set another deadline.
func (c *Client) patience(ctx context.Context, conn net.Conn) {
	limit := c.Silence
	if limit == 0 {
		limit = silence
	}
	_ = conn.SetDeadline(time.Now().Add(limit))
	if ctx.Err() != nil {
		_ = conn.SetDeadline(time.Unix(1, 0))
	}
}

func (c *Client) noAnswer(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return ErrNoAgent
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %v", ErrSilent, err)
	}
	return fmt.Errorf("%w: %v", ErrNoAnswer, err)
}
