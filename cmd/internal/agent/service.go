package agent

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/cmd/internal/session"
)

// service is what the agent does under one configuration.
type service struct {
	*session.Session
	ledger *ledger
	holder *queue.Holder
	pusher *queue.Pusher
	getter *queue.Getter

	work sync.WaitGroup // looking for what to do next
	stop context.CancelFunc
	ctx  context.Context // of looking
	land context.CancelFunc
}

func newService(s *session.Session, dir *archive.DataDir, l *ledger) *service {
	memory := int64(s.Config.Agent.Memory) << 20
	s.Whole = queue.WholeLimit(memory)
	s.Repeated, s.Remember = l.Retried, rememberKeys
	v := &service{Session: s, ledger: l}
	v.ctx, v.stop = context.WithCancel(context.Background())
	air, land := context.WithCancel(context.Background())
	v.land = land
	v.holder = queue.NewHolder(func(ctx context.Context) (*archive.Archive, error) { return s.Open(ctx, dir) })
	v.pusher = queue.NewPusher(air, dir.Path, v.holder, queue.PushOptions{
		Timeout: s.Config.Push.Timeout, Workers: s.Config.Agent.Workers, Memory: memory,
		Log: s.Log, Done: v.pushed,
	})
	v.getter = v.newGetter(dir, memory)
	return v
}

// rememberKeys is how long a principal key of pg_tde is held. Its service is
// asked that often, not once for every segment.
const rememberKeys = 5 * time.Minute

// historyAge bounds how long a promotion elsewhere can go unnoticed by a server
// that knows nothing of it either.
const historyAge = 5 * time.Second

// newGetter is for restoring. It has the archive open once more, for calls of
// the store are repeated by those who ask: they know how long to.
func (v *service) newGetter(dir *archive.DataDir, memory int64) *queue.Getter {
	p := queue.NewPrefetch(queue.PrefetchOptions{
		Depth: v.Config.Agent.Prefetch, Log: v.Log, Count: v.ledger.Fetched,
		Room: queue.Room{
			Memory: memory / 2, Take: v.pusher.TakeMemory, Return: v.pusher.ReturnMemory,
			Spool: spool(v.Config, dir), SpoolBytes: int64(v.Config.Agent.Spool) << 20,
		},
	})
	s := *v.Session
	s.HistoryAge = historyAge
	return &queue.Getter{
		Dir: dir.Path, Prefetch: p, Done: v.got,
		Holder: queue.NewHolder(func(ctx context.Context) (*archive.Archive, error) { return s.OpenOver(ctx, dir, p.Over) }),
	}
}

// try reports why the archive cannot be opened; nil if it can.
func (v *service) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, v.Config.Push.Timeout)
	defer cancel()
	return v.holder.Use(ctx, func(*archive.Archive) error { return nil })
}

// start begins to work ahead.
func (v *service) start() {
	v.ledger.serve(v.getter.Prefetch)
	v.work.Go(func() { v.pusher.Run(v.ctx) })
	v.work.Go(func() { v.checkKeys(v.ctx) })
}

// offer is what calls can ask for.
func (v *service) offer() queue.Offer {
	return queue.Offer{
		Config: digest(v.Config),
		Handlers: map[string]queue.Handler{
			opPing:       ping,
			opStatus:     v.ledger.answer,
			queue.OpPush: queue.Handle(v.pusher.Push),
			queue.OpGet:  queue.Handle(v.getter.Get),
		},
	}
}

// end takes on nothing more and waits for what is on its way, which has its
// time; then the keys are wiped.
func (v *service) end() {
	v.stop()
	defer time.AfterFunc(v.Config.Push.Timeout, v.land).Stop()
	v.work.Wait()
	v.pusher.Wait()
	v.land()
	v.getter.Prefetch.Close()
	v.getter.Holder.Drop()
	v.holder.Drop()
}

// pushed logs a push, one line for each file.
func (v *service) pushed(f queue.Finished) {
	v.ledger.Pushed(f)
	name := filepath.Base(f.File.Path)
	if f.Err != nil {
		v.Log.Warn("not archived", "file", name, "ahead", f.Ahead, "error", f.Err, "took", f.Took)
		return
	}
	session.LogPush(v.Log.With("ahead", f.Ahead), name, f.Pushed, f.Took)
}

// got logs a get, one line for each file. The end of the archive is asked for
// every few seconds and is no news.
func (v *service) got(d queue.Delivery) {
	v.ledger.Got(d)
	switch {
	case d.Err == nil:
		session.LogGet(v.Log, d.Name, d.Got, d.Took)
	case errors.Is(d.Err, archive.ErrEnd):
		v.Log.Debug("absent", "file", d.Name, "reason", d.Err)
	default:
		v.Log.Warn("not restored", "file", d.Name, "error", d.Err, "took", d.Took)
	}
}
