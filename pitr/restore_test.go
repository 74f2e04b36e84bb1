package pitr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/pitr"
	"walarchive/storage"
	"walarchive/storage/mirror"
)

// server is a data directory in the given situation.
func server(t testing.TB, s pitr.Situation) *archive.DataDir {
	t.Helper()
	d := &archive.DataDir{Path: t.TempDir(), Major: 17}
	d.Control = wal.Control{SystemID: 7, CheckpointTimeline: 1, SegmentSize: 1 << 20}
	write(t, d.Path+"/pg_wal/.keep", "")
	switch s {
	case pitr.Recovery:
		write(t, d.Path+"/recovery.signal", "")
	case pitr.Standby:
		write(t, d.Path+"/standby.signal", "")
		write(t, d.Path+"/postgresql.conf", "primary_conninfo = 'host=db1'\n")
	case pitr.Promotion:
		write(t, d.Path+"/postmaster.pid", "1")
	}
	return d
}

// restorer answers for a server in the given situation; opening its archive
// calls open and then fails with what it returns.
func restorer(t testing.TB, s pitr.Situation, log *bytes.Buffer, open func(ctx context.Context) error) *pitr.Restorer {
	t.Helper()
	return &pitr.Restorer{
		Open:     func(ctx context.Context) (*archive.Archive, error) { return nil, open(ctx) },
		Dir:      server(t, s),
		RetryFor: 15 * time.Minute,
		Spool:    t.TempDir(),
		Cluster:  "main",
		Log:      slog.New(slog.NewTextHandler(log, nil)),
	}
}

const segment = "000000010000000000000003"

// Every kind of failure, and for how long a recovery tries: what passes by
// itself until its budget is used up, what does not only once.
func TestWhichFailuresAreRetried(t *testing.T) {
	final := []error{
		archive.ErrEnd, archive.ErrNoArchive, archive.ErrForeign, archive.ErrInvalid, archive.ErrDamaged,
		archive.ErrDataDir, archive.ErrRolledBack, archive.ErrPlaintext, archive.ErrNewer,
		keys.ErrChain, keys.ErrVersion, keys.ErrUnknownEpoch, keys.ErrNoKey, keys.ErrBadKey, keys.ErrBadKeyring, keys.ErrName, &keys.WrongKeyError{},
		tde.ErrDamaged, tde.ErrUnsupported, tde.ErrWrongKey, tde.ErrUnwrap, tde.ErrOverlap, tde.ErrAmbiguous, tde.ErrProvider, tde.ErrMismatch,
		seal.ErrCorrupt, seal.ErrMisplaced, seal.ErrVersion,
		crypt.ErrUnwrap, crypt.ErrWrap, crypt.ErrKeyLength,
		wal.ErrName, wal.ErrHistory, wal.ErrControl,
		storage.ErrNotExist, storage.ErrPermission, storage.ErrInvalid, storage.ErrTooLarge,
		fmt.Errorf("%w: %w", keys.ErrUnavailable, fs.ErrPermission),
	}
	passing := []error{
		archive.ErrHole, storage.ErrUnavailable, mirror.ErrIncomplete, keys.ErrUnavailable, context.DeadlineExceeded,
		errors.New("connection reset by peer"),
		fmt.Errorf("%w: %w", keys.ErrUnavailable, fs.ErrNotExist),
		errors.Join(keys.ErrUnavailable, keys.ErrNoKey),
		&storage.Error{Op: "get", Name: "x", Err: storage.Classify(fs.ErrNotExist, storage.ErrUnavailable, "")},
	}
	tried := func(t *testing.T, err error) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			r := restorer(t, pitr.Recovery, &bytes.Buffer{}, func(context.Context) error { return fmt.Errorf("x: %w", err) })
			if _, _, e := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG"); !errors.Is(e, err) {
				t.Errorf("got %v, want %v", e, err)
			}
			took = time.Since(begin)
		})
		return took
	}
	for _, err := range final {
		t.Run("final/"+err.Error(), func(t *testing.T) {
			if took := tried(t, err); took != 0 {
				t.Errorf("tried for %v", took)
			}
		})
	}
	for _, err := range passing {
		t.Run("passing/"+err.Error(), func(t *testing.T) {
			if took := tried(t, err); took != 15*time.Minute {
				t.Errorf("tried for %v", took)
			}
		})
	}
}

// What PostgreSQL is told, by what went wrong, situation and settings.
func TestOutcomes(t *testing.T) {
	const (
		absent = pitr.Absent
		failed = pitr.Failed
	)
	tests := []struct {
		name    string
		err     error
		onError pitr.OnError
		want    map[pitr.Situation]pitr.Outcome
	}{
		{"end", archive.ErrEnd, pitr.Auto, all(absent, absent, absent)},
		{"end", archive.ErrEnd, pitr.Stop, all(absent, absent, absent)},
		{"hole", archive.ErrHole, pitr.Auto, all(failed, failed, absent)},
		{"hole", archive.ErrHole, pitr.Stop, all(failed, failed, failed)},
		{"hole", archive.ErrHole, pitr.SayAbsent, all(absent, absent, absent)},
		{"damaged", archive.ErrDamaged, pitr.Auto, all(failed, failed, absent)},
		{"damaged", archive.ErrDamaged, pitr.Stop, all(failed, failed, failed)},
		{"damaged", archive.ErrDamaged, pitr.SayAbsent, all(absent, absent, absent)},
		{"wrong key", &keys.WrongKeyError{}, pitr.Auto, all(failed, failed, absent)},
		{"wrong cluster", archive.ErrForeign, "", all(failed, failed, absent)},
		{"store out of reach", storage.ErrUnavailable, pitr.Auto, all(failed, failed, absent)},
		{"store out of reach", storage.ErrUnavailable, pitr.Stop, all(failed, failed, failed)},
	}
	for _, tt := range tests {
		for situation, want := range tt.want {
			t.Run(fmt.Sprintf("%s/%v/%s", tt.name, situation, tt.onError), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := restorer(t, situation, &bytes.Buffer{}, func(context.Context) error { return fmt.Errorf("x: %w", tt.err) })
					r.OnError = tt.onError
					got, outcome, err := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
					if outcome != want || got != nil || !errors.Is(err, tt.err) {
						t.Errorf("got %v, outcome %d, %v, want outcome %d", got, outcome, err, want)
					}
				})
			})
		}
	}
}

func all(byHand, recovery, standby pitr.Outcome) map[pitr.Situation]pitr.Outcome {
	return map[pitr.Situation]pitr.Outcome{pitr.ByHand: byHand, pitr.Recovery: recovery, pitr.Standby: standby}
}

// A recovery waits for its budget, with growing pauses and a line a minute.
func TestRecoveryRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tries := 0
		r := restorer(t, pitr.Recovery, &log, func(context.Context) error { tries++; return storage.ErrUnavailable })
		begin := time.Now()
		_, outcome, err := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
		if outcome != pitr.Failed || !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("got outcome %d, %v", outcome, err)
		}
		if took := time.Since(begin); took != 15*time.Minute {
			t.Errorf("it took %v, want the budget", took)
		}
		// 15 minutes of pauses between 7.5 and 22.5 seconds.
		if tries < 40 || tries > 130 {
			t.Errorf("%d tries", tries)
		}
		if lines := strings.Count(log.String(), "\n"); lines < 12 || lines > 15 {
			t.Errorf("%d lines in the log, want one a minute:\n%s", lines, &log)
		}
	})
}

func TestRecoveryGoesOnWhenTheTroubleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := restorer(t, pitr.Recovery, &bytes.Buffer{}, func(context.Context) error {
			if time.Since(begin) < time.Minute {
				return storage.ErrUnavailable
			}
			return archive.ErrEnd
		})
		_, outcome, _ := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
		if took := time.Since(begin); outcome != pitr.Absent || took > 90*time.Second {
			t.Errorf("got outcome %d after %v", outcome, took)
		}
	})
}

// pg_rewind and people are not kept for a quarter of an hour.
func TestByHandRetriesForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := restorer(t, pitr.ByHand, &bytes.Buffer{}, func(context.Context) error { return storage.ErrUnavailable })
		_, outcome, _ := r.Restore(t.Context(), segment, "x")
		if took := time.Since(begin); outcome != pitr.Failed || took != time.Minute {
			t.Errorf("got outcome %d after %v", outcome, took)
		}
	})
}

func TestPausesDiffer(t *testing.T) {
	pauses := map[time.Duration]bool{}
	for range 5 {
		r := restorer(t, pitr.Recovery, &bytes.Buffer{}, func(context.Context) error { return storage.ErrUnavailable })
		r.Sleep = func(_ context.Context, d time.Duration) error {
			pauses[d] = true
			if d < 500*time.Millisecond || d > 1500*time.Millisecond {
				t.Errorf("the first pause is %v", d)
			}
			return errors.New("enough")
		}
		if _, outcome, _ := r.Restore(t.Context(), segment, "x"); outcome != pitr.Failed {
			t.Errorf("got outcome %d", outcome)
		}
	}
	if len(pauses) < 2 {
		t.Errorf("all pauses are %v", pauses)
	}
}

// A call that is ended, here after 20 minutes of a slow answer or in a pause,
// is no answer, whatever the settings say.
func TestEndedCallIsNoAnswer(t *testing.T) {
	for _, situation := range []pitr.Situation{pitr.Recovery, pitr.Standby, pitr.ByHand} {
		for _, end := range []time.Duration{0, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				r := restorer(t, situation, &bytes.Buffer{}, func(ctx context.Context) error {
					if end == 0 {
						cancel()
					}
					<-ctx.Done()
					return ctx.Err()
				})
				r.OnError = pitr.SayAbsent
				time.AfterFunc(end, cancel)
				begin := time.Now()
				_, outcome, err := r.Restore(ctx, segment, "pg_wal/RECOVERYXLOG")
				if outcome != pitr.Failed || !errors.Is(err, context.Canceled) || time.Since(begin) != end {
					t.Errorf("%v: got outcome %d, %v after %v", situation, outcome, err, time.Since(begin))
				}
			})
		}
	}
}
