package pitr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/archive/queue"
	"walarchive/pitr"
	"walarchive/storage"
)

// asking is a restorer with an agent that answers err after a while, and
// counts how often the archive is opened here.
func asking(t *testing.T, s pitr.Situation, after time.Duration, err error, alone func(context.Context) error) (r *pitr.Restorer, opened *int) {
	t.Helper()
	opened = new(int)
	r = restorer(t, s, &bytes.Buffer{}, func(ctx context.Context) error { *opened++; return alone(ctx) })
	r.Agent = func(ctx context.Context, name, dest string, o archive.GetOptions) (*archive.Got, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(after):
		}
		if err != nil {
			return nil, err
		}
		return &archive.Got{Object: name}, nil
	}
	return r, opened
}

func end(context.Context) error { return archive.ErrEnd }

// What the agent says about the file counts; without a word from it the call
// does the work itself.
func TestAgentsAnswers(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		opened int
		want   pitr.Outcome
	}{
		{"delivered", nil, 0, pitr.Delivered},
		{"absent", fmt.Errorf("x: %w", archive.ErrEnd), 0, pitr.Absent},
		{"damaged", archive.ErrDamaged, 0, pitr.Failed},
		{"no agent", queue.ErrNoAgent, 1, pitr.Absent},
		{"it declines", fmt.Errorf("%w: other settings", queue.ErrNoAnswer), 1, pitr.Absent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, opened := asking(t, pitr.Recovery, 0, tt.err, end)
			_, outcome, err := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
			if outcome != tt.want || *opened != tt.opened {
				t.Errorf("got outcome %d, %v, and the archive opened %d times; want %d and %d", outcome, err, *opened, tt.want, tt.opened)
			}
		})
	}
}

// A recovery is patient with trouble that the agent has, too.
func TestAgentsTroubleIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, opened := asking(t, pitr.Recovery, 0, storage.ErrUnavailable, end)
		begin := time.Now()
		_, outcome, err := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
		if outcome != pitr.Failed || !errors.Is(err, storage.ErrUnavailable) || *opened != 0 {
			t.Errorf("got outcome %d, %v, and the archive opened %d times", outcome, err, *opened)
		}
		if took := time.Since(begin); took != 15*time.Minute {
			t.Errorf("it was tried for %v", took)
		}
	})
}

// An agent that hangs takes a part of the time that a standby has, and no more
// comes on top.
func TestStandbyWithAHungAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, opened := asking(t, pitr.Standby, 1200*time.Millisecond, queue.ErrNoAnswer, blackHole)
		begin := time.Now()
		_, outcome, _ := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
		if took := time.Since(begin); outcome != pitr.Absent || *opened != 1 || took != 3*time.Second {
			t.Errorf("got outcome %d, the archive opened %d times, after %v", outcome, *opened, took)
		}
	})
}

// A promotion makes several calls: one of them waits for an agent that hangs,
// and the next ones do not ask it for half a minute.
func TestSilentAgentIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, opened := asking(t, pitr.Standby, 1200*time.Millisecond, fmt.Errorf("%w: x", queue.ErrSilent), end)
		restore := func() time.Duration {
			begin := time.Now()
			r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
			return time.Since(begin)
		}
		for i, want := range []time.Duration{1200 * time.Millisecond, 0, 0} {
			if took := restore(); took != want {
				t.Errorf("call %d took %v, want %v", i+1, took, want)
			}
		}
		time.Sleep(31 * time.Second)
		if took := restore(); took != 1200*time.Millisecond || *opened != 4 {
			t.Errorf("half a minute later a call took %v, want it to ask again; the archive was opened %d times", took, *opened)
		}
	})
}
