package pitr_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"walarchive/archive"
	"walarchive/pitr"
	"walarchive/storage"
)

// What a call had to repeat counts, and what the agent repeated for it.
func TestRestoreCountsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := restorer(t, pitr.Recovery, &bytes.Buffer{}, nil)
		calls := 0
		r.Agent = func(context.Context, string, string, archive.GetOptions) (*archive.Got, error) {
			if calls++; calls <= 3 {
				return nil, storage.ErrUnavailable
			}
			return &archive.Got{Retries: 2}, nil
		}
		got, outcome, err := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
		if outcome != pitr.Delivered || err != nil || got.Retries != 5 {
			t.Errorf("got %+v, %v, %v, want 5 retries", got, outcome, err)
		}
	})
}
