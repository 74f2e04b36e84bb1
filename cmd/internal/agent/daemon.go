package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/cmd/internal/session"
)

// Daemon is the agent as a process.
type Daemon struct {
	// Load reads the configuration, each time anew.
	Load func() (*session.Session, error)
	// StartedBy is the process of the push that started it, else 0. Such an
	// agent ends when nobody has called for agent.idle.
	StartedBy int
	// Metrics offers metrics at an address until stop is called. It is not of
	// this package, for calls of push and get would carry its libraries too.
	Metrics func(address string, status func() *Status, log *slog.Logger) (stop func())
	// Linger gives it time to stop.
	Linger func(time.Duration)
}

// Autostarted reports whether a push started it.
func (d Daemon) Autostarted() bool { return d.StartedBy != 0 }

// landing is what the end of the agent may take beyond push.timeout.
const landing = 5 * time.Second

// Run is the agent until ctx ends. Then it takes no more calls, and returns
// when what is on its way has arrived, at the latest after push.timeout.
func (d Daemon) Run(ctx context.Context) error {
	s, err := d.Load()
	if err != nil {
		return err
	}
	dir, err := s.DataDir("")
	if err != nil {
		return err
	}
	path, err := socket(s.Config, dir)
	if err != nil {
		return err
	}
	if d.Autostarted() {
		if alone, err := d.settle(dir, path); alone || err != nil {
			return err
		}
	}
	l, err := queue.Listen(path)
	switch {
	case errors.Is(err, queue.ErrRunning) && d.Autostarted():
		return nil // another push was faster
	case err != nil:
		return advise(err)
	}
	defer l.Close()
	if err := confine(s.Config); err != nil {
		s.Log.Warn("the agent's memory is less protected than it could be", "error", err)
	}
	d.Linger(s.Config.Push.Timeout + landing)
	a := &agent{Daemon: d, log: s.Log, dir: dir, socket: path, ledger: newLedger(dir), server: &queue.Server{Log: s.Log}}
	return a.run(ctx, s, l)
}

// settle waits until the push that started this agent has ended. It reports
// that there is to be none: a postmaster has adopted it.
func (d Daemon) settle(dir *archive.DataDir, path string) (alone bool, err error) {
	adopter, alone := adoptedByPostmaster(awaitAdoption(d.StartedBy), dir.Path)
	if alone {
		return true, note(path+".start").write(path, adopter)
	}
	return false, resetOOM()
}

// agent is a Daemon that has its socket.
type agent struct {
	Daemon
	log    *slog.Logger
	dir    *archive.DataDir
	socket string
	told   string // to systemd, last
	server *queue.Server
	ledger *ledger
	now    *service
	ending sync.WaitGroup // services of former configurations
}

// run answers calls until ctx ends.
func (a *agent) run(ctx context.Context, s *session.Session, l *queue.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.adopt(s, newService(s, a.dir, a.ledger))
	a.log.Info("the agent is ready", "socket", a.socket, "pgdata", a.dir.Path)
	if address := s.Config.Agent.Metrics; address != "" {
		defer a.Metrics(address, a.ledger.status, s.Log)()
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		a.notify(daemon.SdNotifyReady)
		a.watch(ctx)
		a.notify(daemon.SdNotifyStopping)
		a.now.stop()
		stop()
	})
	err := a.server.Serve(ctx, l)
	stop()
	watch.Wait()
	a.now.end()
	a.ending.Wait()
	a.log.Info("the agent ends")
	return err
}

// watch does what is to be done now and then. It returns when the agent is to
// end.
func (a *agent) watch(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	begin := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var watchdog <-chan time.Time
	if every := a.watchdog(); every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		watchdog = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-watchdog:
			a.alive(ctx)
		case <-hup:
			a.notifyReloading()
			a.reload(ctx)
			a.notify(daemon.SdNotifyReady)
		case <-tick.C:
			a.tell()
			if a.Autostarted() && a.server.Idle(begin) > a.now.Config.Agent.Idle {
				a.log.Info("nobody has called for a while")
				return
			}
		}
	}
}

// reload goes over to the configuration as it is now, if that is any good.
func (a *agent) reload(ctx context.Context) {
	s, err := a.Load()
	if err == nil {
		next := newService(s, a.dir, a.ledger)
		if err = next.try(ctx); err == nil {
			a.adopt(s, next)
			a.log.Info("the configuration was read again")
			return
		}
		next.end()
	}
	a.log.Error("the configuration cannot be used and stays as it was", "error", err)
}

// adopt makes next what calls get, and lets the service until now end.
func (a *agent) adopt(s *session.Session, next *service) {
	old := a.now
	a.now, a.log = next, s.Log
	next.start()
	a.server.Offer(next.offer())
	if old != nil {
		a.ending.Go(old.end)
	}
}
