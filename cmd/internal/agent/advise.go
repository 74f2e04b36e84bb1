package agent

import (
	"errors"

	"walarchive/archive/queue"
	"walarchive/cmd/internal/command"
)

// advise adds what to do about a socket that cannot be had.
func advise(err error) error {
	if errors.Is(err, queue.ErrRunning) {
		return command.WithHint(err, "one agent serves a data directory; stop the other one first")
	}
	return command.WithHint(err, "the directory of agent.socket, by default one in spool.path, must be the server's account's own, mode 0700, and not lie where others can write")
}
