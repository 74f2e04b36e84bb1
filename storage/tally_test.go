package storage_test

import (
	"testing"
	"testing/synctest"

	"walarchive/storage"
)

func TestTally(t *testing.T) {
	for op, call := range ops {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := failing(t, op, first(2, storage.ErrUnavailable))
				ctx, tally := storage.WithTally(t.Context())
				ctx, again := storage.WithTally(ctx)
				if err := call(ctx, storage.WithRetry(b, storage.Policy{}, nil)); err != nil {
					t.Fatal(err)
				}
				if tally.Retries() != 2 || again != tally {
					t.Errorf("counted %d retries, want 2", tally.Retries())
				}
			})
		})
	}
}
