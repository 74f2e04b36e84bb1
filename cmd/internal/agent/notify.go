package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"walarchive/archive/queue"
)

// opPing asks the agent for a sign of life.
const opPing = "ping"

func ping(context.Context, *queue.Call) (any, error) { return struct{}{}, nil }

// notify tells systemd, where that started the agent, what state it is in.
func (a *agent) notify(state string) {
	if a.Autostarted() {
		return
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.log.Warn("cannot tell systemd", "state", state, "error", err)
	}
}

func (a *agent) notifyReloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		a.log.Warn("no monotonic clock", "error", err)
	}
	a.notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

// watchdog is how often systemd wants to hear that the agent is alive, 0 for
// never.
func (a *agent) watchdog() time.Duration {
	if a.Autostarted() {
		return 0
	}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		a.log.Warn("systemd's watchdog is not understood", "error", err)
	}
	return every / 3
}

// alive tells systemd that the agent answers its socket.
func (a *agent) alive(ctx context.Context) {
	c := queue.Client{Socket: a.socket}
	if err := c.Ask(ctx, opPing, nil, &struct{}{}); err != nil {
		a.log.Error("the agent does not answer itself", "error", err)
		return
	}
	a.notify(daemon.SdNotifyWatchdog)
}
