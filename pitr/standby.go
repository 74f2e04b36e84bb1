package pitr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"walarchive/archive"
	"walarchive/storage"
)

// standby asks within the time that a streaming standby, or a promotion, can be
// kept waiting.
// A segment that keeps arriving may take longer: without it a slow line could
// never bring a large one.
func (c *call) standby(ctx context.Context) (*archive.Got, error) {
	if ago, ok := c.spool.ago(c.spool.unreachable(), c.now()); ok {
		err := fmt.Errorf("no answer %v ago, so not asked again yet: %w", ago.Round(time.Second), storage.ErrUnavailable)
		return c.fromMemory(err)
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(standbyBudget, cancel)
	defer patience.Stop()
	got, err := c.once(limited, func() { patience.Reset(standbyBudget) })
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && limited.Err() != nil:
		c.warn(c.spool.leave(c.spool.unreachable(), c.now()))
		return c.fromMemory(fmt.Errorf("no answer for %v: %w", standbyBudget, err))
	case err != nil && c.worthRetrying(err):
		c.warn(c.spool.leave(c.spool.unreachable(), c.now()))
		return c.fromMemory(err)
	}
	if err != nil && !errors.Is(err, archive.ErrEnd) {
		return c.fromMemory(err)
	}
	if c.isHistory() {
		c.remember(err == nil)
	}
	return got, err
}

// warn logs trouble with the spool: the standby goes on without it.
func (c *call) warn(err error) {
	if err != nil {
		c.Log.Warn("the spool cannot be written: the next call will wait for the store again", "spool", c.Spool, "error", err)
	}
}

func (c *call) isHistory() bool { return strings.HasSuffix(c.name, ".history") }

// remember notes a history file as the archive has it now.
func (c *call) remember(present bool) {
	var content []byte
	if present {
		b, err := os.ReadFile(c.Dir.Resolve(c.dest))
		if err != nil {
			c.warn(err)
			return
		}
		content = b
	}
	c.warn(c.spool.note(c.name, content, c.now()))
}

// fromMemory answers a call for a history file from what was last seen, when
// the archive gives no answer. Other files have no such memory. A promotion
// that has the file in pg_wal can do without; one that has it nowhere must not
// be told that it is absent, or the new timeline's history would lack its
// ancestors.
func (c *call) fromMemory(err error) (*archive.Got, error) {
	if !c.isHistory() {
		return nil, err
	}
	if c.situation == Promotion {
		if local, e := exists(filepath.Join(c.Dir.Path, "pg_wal", c.name)); e == nil && local {
			return nil, fmt.Errorf("%w, and the archive gives no answer: %w", errAtHand, err)
		}
	}
	last, ok := c.spool.lastSeen()
	content, asked := last.Files[c.name]
	switch {
	case !ok || !asked:
		return nil, fmt.Errorf("%w: %w", errUnproven, err)
	case content == nil:
		return nil, fmt.Errorf("%w as of %s; now: %w", archive.ErrEnd, last.At.Format(time.RFC3339), err)
	}
	if err := c.Dir.Deliver(c.dest, content); err != nil {
		return nil, err
	}
	c.Log.Warn("the archive gives no answer: history file as last seen", "file", c.name, "seen", last.At, "error", err)
	return &archive.Got{Object: c.spool.histories(), Plain: int64(len(content))}, nil
}
