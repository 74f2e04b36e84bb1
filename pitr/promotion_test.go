package pitr_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/pitr"
	"walarchive/storage"
)

// Whatever the archive's state, the first timeline has no history: PostgreSQL
// asks for it at the end of each promotion, and must not wait.
func TestFirstTimelineNeedsNoArchive(t *testing.T) {
	for _, s := range []pitr.Situation{pitr.ByHand, pitr.Recovery, pitr.Standby, pitr.Promotion} {
		r := restorer(t, s, &bytes.Buffer{}, func(context.Context) error { panic("the archive was opened") })
		r.OnError, r.HistoryOnError = pitr.Stop, pitr.Stop
		_, outcome, err := r.Restore(t.Context(), "00000001.history", "pg_wal/RECOVERYHISTORY")
		if outcome != pitr.Absent || !errors.Is(err, archive.ErrEnd) {
			t.Errorf("%v: outcome %d, %v, want Absent", s, outcome, err)
		}
	}
}

// What a promotion is told about the history of the timeline it leaves while
// the store is out of reach, and how long it waits for it.
func TestPromotionWithoutStore(t *testing.T) {
	tests := []struct {
		name    string
		local   bool // the file is in pg_wal
		onError pitr.OnError
		want    pitr.Outcome
	}{
		{"in pg_wal", true, pitr.Auto, pitr.Absent},
		{"in pg_wal, stop", true, pitr.Stop, pitr.Absent},
		{"nowhere", false, pitr.Auto, pitr.Failed},
		{"nowhere, absent", false, pitr.SayAbsent, pitr.Absent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := restorer(t, pitr.Promotion, &bytes.Buffer{}, blackHole)
				r.OnError = tt.onError
				if tt.local {
					write(t, filepath.Join(r.Dir.Path, "pg_wal", "00000002.history"), "1\t0/900000\t\n")
				}
				start := time.Now()
				for range 3 {
					_, outcome, err := r.Restore(t.Context(), "00000002.history", "pg_wal/RECOVERYHISTORY")
					if outcome != tt.want {
						t.Errorf("outcome %d, %v, want %d", outcome, err, tt.want)
					}
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("the promotion waited %v", took)
				}
			})
		})
	}
}

// With the store at hand a promotion is served as ever.
func TestPromotionWithStore(t *testing.T) {
	r := restorer(t, pitr.Promotion, &bytes.Buffer{}, nil)
	b, open, _ := archived(t, r.Dir)
	r.Open = func(ctx context.Context) (*archive.Archive, error) { return open(ctx, storage.Bucket(b)) }
	if _, outcome, err := r.Restore(t.Context(), "00000002.history", "pg_wal/RECOVERYHISTORY"); outcome != pitr.Delivered {
		t.Errorf("outcome %d, %v, want Delivered", outcome, err)
	}
}
