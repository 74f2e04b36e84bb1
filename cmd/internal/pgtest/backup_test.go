//go:build integration

package pgtest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"walarchive/archive/wal"
	"walarchive/cmd/internal/pgtest"
)

// TestBackupIsComplete has pg_verifybackup check a restored base backup, with
// its WAL from the archive, before any recovery; and pg_controldata and info
// name the same cluster.
func TestBackupIsComplete(t *testing.T) {
	t.Parallel()
	s, a := archived(t, pgtest.Newest(t), smallSegments)
	s.Fill()
	load := s.StartLoad(300)
	backup := s.BaseBackup()
	load.Stop()

	r := pgtest.Restore(t, s.Postgres, backup)
	for _, seg := range segmentsOf(t, backup) {
		wantGot(t, a, r, seg.String())
	}
	pgtest.MustRun(t, "/", s.Program("pg_verifybackup"), "--ignore=postgresql.conf", r.Data)
	wantSystemIdentifier(t, a, r)
}

// segmentsOf lists the segments that a base backup needs (backup_manifest).
func segmentsOf(t *testing.T, backup string) (segments []wal.Segment) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(backup, "backup_manifest"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Ranges []struct {
			Timeline wal.Timeline
			Start    wal.LSN `json:"Start-LSN"`
			End      wal.LSN `json:"End-LSN"`
		} `json:"WAL-Ranges"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	for _, r := range manifest.Ranges {
		for seg := wal.SegmentAt(r.Timeline, r.Start, 1<<20); seg.Start() < r.End; seg = seg.Next() {
			segments = append(segments, seg)
		}
	}
	if len(segments) == 0 {
		t.Fatalf("%s/backup_manifest names no WAL", backup)
	}
	return segments
}

func wantSystemIdentifier(t *testing.T, a *pgtest.Archive, s *pgtest.Server) {
	t.Helper()
	var info struct {
		Incarnations []struct {
			System string `json:"system_id"`
		}
	}
	out := a.MustDo("info", "--json")
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	want := s.Control("Database system identifier")
	if len(info.Incarnations) != 1 || info.Incarnations[0].System != want {
		t.Errorf("info does not name system %s:\n%s", want, out)
	}
}
