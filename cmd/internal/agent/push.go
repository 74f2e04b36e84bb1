package agent

import (
	"context"
	"errors"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/cmd/internal/session"
)

// Push has the agent archive the file at path, of d's server. Whatever stands
// in the way of asking it gives queue.ErrNoAnswer: then the caller does it
// itself. Other errors are about the push.
func Push(ctx context.Context, s *session.Session, d *archive.DataDir, path string) (*archive.Pushed, error) {
	file, err := queue.Stat(d.Resolve(path))
	if err != nil {
		return nil, queue.ErrNoAnswer // the push says what is wrong with it
	}
	c, err := client(s, d)
	if err != nil {
		return nil, err
	}
	a, err := c.Push(ctx, queue.PushQuestion{DataDir: d.Path, File: file})
	if err == nil {
		return &a.Pushed, nil
	}
	say(s, err)
	if errors.Is(err, queue.ErrNoAgent) && s.Config.Agent.Autostart {
		if err := start(s, d, c.Socket); err != nil {
			s.Log.Warn("no agent can be started", "error", err)
		}
	}
	return nil, err
}

// client asks the agent of d's server.
func client(s *session.Session, d *archive.DataDir) (*queue.Client, error) {
	path, err := socket(s.Config, d)
	if err != nil {
		return nil, errors.Join(queue.ErrNoAnswer, err)
	}
	return &queue.Client{Socket: path, Config: digest(s.Config)}, nil
}

// say logs why there is no answer. No agent is no news: nobody has to have one.
func say(s *session.Session, err error) {
	switch {
	case errors.Is(err, queue.ErrNoAgent):
		s.Log.Debug("no agent is running: working alone")
	case errors.Is(err, queue.ErrNoAnswer):
		s.Log.Warn("working alone", "because", err)
	}
}
