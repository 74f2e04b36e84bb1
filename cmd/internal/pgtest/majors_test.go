//go:build integration

package pgtest_test

import (
	"testing"

	"walarchive/cmd/internal/pgtest"
)

// TestNewerVersions does the main job with PostgreSQL 16, 17 and 18.
func TestNewerVersions(t *testing.T) {
	t.Parallel()
	for _, p := range pgtest.Embedded(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			t.Run("recovery", func(t *testing.T) { recovery(t, p, pgtest.NewArchive(t, tools), smallSegments) })
			t.Run("promotion", func(t *testing.T) { failover(t, p, pgtest.NewArchive(t, tools)) })
		})
	}
}
