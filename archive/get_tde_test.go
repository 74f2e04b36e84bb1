package archive_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
)

// recorded unpacks a scenario with the keys of a state ("" for none).
func recorded(t *testing.T, scenario, state string) (fixtures.Scenario, fixtures.Host) {
	t.Helper()
	s, err := fixtures.Open(scenario)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if state != "" {
		if err := h.SetKeys(state); err != nil {
			t.Fatal(err)
		}
	}
	return s, h
}

// archiveOfPlaintext archives a recorded plaintext, as a server without
// encryption would have, and serves it to the server h.
func archiveOfPlaintext(t *testing.T, g fixtures.Segment, s fixtures.Scenario, h fixtures.Host) (*archive.Archive, *archive.DataDir) {
	t.Helper()
	plain, err := g.Plain()
	if err != nil {
		t.Fatal(err)
	}
	source, err := s.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(source.PGData, "pg_wal", g.Name)
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	d := dataDir(t, source.PGData)
	a := initArchive(t, newBucket(t), newRing(t), d, archive.Options{TDE: fetchFrom(h.Keyrings)})
	mustPush(t, a, d, path)
	return a, dataDir(t, h.PGData)
}

// What pg_tde_restore_encrypt wrote for a server, get writes: with the ranges of
// that server, not of the one that had the segment first.
func TestRestoreEncryptsForTheTarget(t *testing.T) {
	tests := []struct{ scenario, segment, kind, state string }{
		{"G-basebackup-restore", "00000001000000000000000B", "written by restore_encrypt", "backup-as-taken"},
		{"G-basebackup-restore", "00000001000000000000000B", "written by restore_encrypt", "keys-at-restore-00000001000000000000000B"},
		{"G-basebackup-restore", "00000001000000000000000B", "archived", "source-final"},
		{"F-timeline", "00000002000000000000000C", "archived", "standby-3-final"},
		{"F-timeline", "00000002000000000000000E", "archived", "standby-3-final"},
		{"F-timeline", "00000001000000000000000C", "archived", "primary-final"},
		{"B-single-key", "00000001000000000000000C", "archived", "final"},
	}
	for _, tt := range tests {
		t.Run(filepath.Join(tt.scenario, tt.segment, tt.state), func(t *testing.T) {
			s, h := recorded(t, tt.scenario, tt.state)
			for _, g := range s.Segments {
				if g.Name != tt.segment || g.Kind != tt.kind {
					continue
				}
				a, d := archiveOfPlaintext(t, g, s, h)
				b, _, err := restore(t, a, d, g.Name, archive.GetOptions{Timeline: 1})
				if err != nil {
					t.Fatal(err)
				}
				if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != g.RawSHA256 {
					t.Error("not the bytes that the server had")
				}
				return
			}
			t.Fatal("not recorded")
		})
	}
}

// encryptedSource is an archive with one segment that was encrypted on its
// server.
func encryptedSource(t *testing.T, o archive.Options) (s *site, name string) {
	t.Helper()
	source := newHost(t, small)
	encryptingTarget(t, source.dir)
	o.TDE = fetchFrom(source.dir.Path)
	s = newSite(t, o)
	s.Fill(0)
	b := s.Segment(3)
	decrypt(t, source.dir, o.TDE, seg(1, 3), b) // encrypting is the same
	path := filepath.Join(source.dir.Path, "pg_wal", seg(1, 3))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	mustPush(t, s.a, source.dir, path)
	return s, seg(1, 3)
}

// A server whose own ranges say plaintext reads plaintext, so it gets it, and
// the operator hears of it.
func TestTargetWithoutKeysGetsPlaintextAndAWarning(t *testing.T) {
	targets := map[string]func(t *testing.T, d *archive.DataDir){
		"no pg_tde":             func(*testing.T, *archive.DataDir) {},
		"keys without a range":  func(t *testing.T, d *archive.DataDir) { tdetest.KeyFile{}.Write(t, d.Path, tde.Percona) },
		"no wal_keys in pg_tde": emptyKeyDir,
		"plaintext by its range": func(t *testing.T, d *archive.DataDir) {
			entry := tdetest.Entry{Type: tde.Unencrypted, Start: tdetest.At(1, 0x100000)}
			tdetest.KeyFile{Entries: []tdetest.Entry{entry}}.Write(t, d.Path, tde.Percona)
		},
		"encrypted only later": func(t *testing.T, d *archive.DataDir) {
			entry := tdetest.Entry{Type: tde.Encrypted, Start: tdetest.At(1, 0x400000)}
			tdetest.KeyFile{Entries: []tdetest.Entry{entry}}.Write(t, d.Path, tde.Percona)
		},
	}
	for name, prepare := range targets {
		t.Run(name, func(t *testing.T) {
			s, file := encryptedSource(t, archive.Options{})
			prepare(t, s.target)
			if got := mustRestore(t, s.open(s.target), s.target, file, s.Segment(3)); len(got.Warnings) != 1 {
				t.Errorf("got warnings %q, want one", got.Warnings)
			}
		})
		t.Run(name+", refused", func(t *testing.T) {
			s, file := encryptedSource(t, archive.Options{})
			prepare(t, s.target)
			o := archive.Options{TDE: fetchFrom(s.target.Path), RequireEncryptedRestore: true}
			a, err := archive.Open(t.Context(), s.calls, s.ring, o)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = restore(t, a, s.target, file, archive.GetOptions{})
			wantRefusal(t, err, archive.ErrPlaintext, "leave it in plaintext")
		})
	}
}

func emptyKeyDir(t *testing.T, d *archive.DataDir) {
	if err := os.Mkdir(filepath.Join(d.Path, string(tde.Percona)), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestPlaintextSourceNeedsNoWarning(t *testing.T) {
	s := newSite(t, archive.Options{RequireEncryptedRestore: true})
	names, content := s.fill(1)
	if got := mustRestore(t, s.a, s.target, names[0], content[names[0]]); len(got.Warnings) != 0 {
		t.Errorf("got warnings %q", got.Warnings)
	}
}

// Keys that do not belong together stop the restore: written with them, the
// segment would look like the end of WAL to the server.
func TestDamagedTargetKeysStopTheRestore(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, pgdata string)
		want  error
	}{
		{"another principal key", func(t *testing.T, pgdata string) {
			other := t.TempDir()
			tdetest.KeyFile{}.Write(t, other, tde.Percona)
			copyFile(t, filepath.Join(other, "keyring.per"), filepath.Join(pgdata, "keyring.per"))
		}, tde.ErrWrongKey},
		{"a cut header", func(t *testing.T, pgdata string) {
			if err := os.Truncate(filepath.Join(pgdata, "pg_tde", "wal_keys"), 300); err != nil {
				t.Fatal(err)
			}
		}, tde.ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			names, _ := s.fill(1)
			encryptingTarget(t, s.target)
			tt.spoil(t, s.target.Path)
			_, _, err := restore(t, s.open(s.target), s.target, names[0], archive.GetOptions{})
			wantError(t, err, tt.want)
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A recorded promotion: the primary's segment, cut where the standby's timeline
// 2 began, for the standby with its own ranges.
func TestRecordedForkIsCutForTheStandby(t *testing.T) {
	s, h := recorded(t, "F-timeline", "standby-3-final")
	history, err := s.Read("standby/raw/00000002.history")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := wal.ParseHistory(2, history)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range s.Segments {
		if g.Name != "00000001000000000000000C" || !g.HasPlain() {
			continue
		}
		a, d := archiveOfPlaintext(t, g, s, h)
		path := filepath.Join(t.TempDir(), "00000002.history")
		if err := os.WriteFile(path, history, 0o600); err != nil {
			t.Fatal(err)
		}
		mustPush(t, a, d, path)
		b, got, err := restore(t, a, d, g.Name, archive.GetOptions{Timeline: 2})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := g.Plain()
		if err != nil {
			t.Fatal(err)
		}
		want := zeroed(plain, int(parsed.Begin())%int(g.Size))
		if got.Cut != parsed.Begin() || hex.EncodeToString(b[:8]) == hex.EncodeToString(plain[:8]) {
			t.Errorf("cut at %v, want %v, encrypted from its first byte on", got.Cut, parsed.Begin())
		}
		decrypt(t, d, fetchFrom(h.Keyrings), g.Name, b)
		if at := firstDifference(b, want); at != len(want) {
			t.Errorf("the standby would read other bytes from offset %d on", at)
		}
	}
}
