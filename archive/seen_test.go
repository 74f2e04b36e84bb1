package archive_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/keys"
	"walarchive/storage/storagetest"
)

// seenBy is an archive of three entries that a host has read, and the options of
// that host.
func seenBy(t *testing.T) (*storagetest.Memory, *keys.Ring, archive.Options) {
	t.Helper()
	h, b, ring := newHost(t, small), storagetest.NewMemory(), keys.NewRing(generations(t, "g1", "g2", "g3"))
	o := archive.Options{Spool: t.TempDir()}
	a, err := archive.Init(t.Context(), b, ring, generation("g1"), h.dir, false, o)
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, a, "g2", "g3")
	return b, ring, o
}

func loseObject(t *testing.T, b *storagetest.Memory, name string) {
	t.Helper()
	if err := b.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// A chain that is shorter than this host has seen it is not believed, by no
// process of its.
func TestChainShorterThanSeen(t *testing.T) {
	b, ring, o := seenBy(t)
	if _, err := archive.Open(t.Context(), b, ring, o); err != nil {
		t.Fatal(err)
	}
	lost := sealed(t, b, "keys/00000003")
	loseObject(t, b, "keys/00000003")
	_, err := archive.Open(t.Context(), b, ring, o)
	wantRefusal(t, err, archive.ErrRolledBack, "this host has seen entry 3")
	if _, err := archive.Open(t.Context(), b, ring, archive.Options{Spool: t.TempDir()}); err != nil {
		t.Errorf("a host that never saw more: %v", err)
	}

	var log bytes.Buffer
	tolerant := o
	tolerant.RolledBack, tolerant.Log = true, slog.New(slog.NewTextHandler(&log, nil))
	a, err := archive.Open(t.Context(), b, ring, tolerant)
	if err != nil || !strings.Contains(log.String(), "level=WARN") {
		t.Fatalf("where it is let pass: %v, log %q", err, &log)
	}
	report, err := a.Verify(t.Context(), archive.VerifyOptions{})
	if err != nil || len(report.Problems) != 1 || report.Problems[0].Kind != archive.ProblemKeys {
		t.Errorf("verify: %v, %v", report, err)
	}
	info, err := a.Info(t.Context(), nil)
	if err != nil || len(info.Problems) != 1 {
		t.Errorf("info: %v, %v", info, err)
	}

	// Put back, all is well; the note did not go back either.
	if err := a.PutRaw(t.Context(), "keys/00000003", lost); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Open(t.Context(), b, ring, o); err != nil {
		t.Errorf("with the entry put back: %v", err)
	}
}

// Another entry under a number is as bad as none.
func TestChainOtherThanSeen(t *testing.T) {
	b, ring, o := seenBy(t)
	loseObject(t, b, "keys/00000003")
	a, err := archive.Open(t.Context(), b, ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, a, "g3", "g1")
	_, err = archive.Open(t.Context(), b, ring, o)
	wantRefusal(t, err, archive.ErrRolledBack, "entry 3, which is not there as it was")
}

// The note is a help and no need: damaged, unwritable or gone, it is made anew
// or done without.
func TestNoteOfTheChainIsDoneWithout(t *testing.T) {
	b, ring, o := seenBy(t)
	notes, err := filepath.Glob(filepath.Join(o.Spool, "chain-*.json"))
	if err != nil || len(notes) != 1 {
		t.Fatalf("notes %v, %v", notes, err)
	}
	if err := os.WriteFile(notes[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Open(t.Context(), b, ring, o); err != nil {
		t.Errorf("damaged: %v", err)
	}
	loseObject(t, b, "keys/00000003")
	if _, err := archive.Open(t.Context(), b, ring, o); !errors.Is(err, archive.ErrRolledBack) {
		t.Errorf("made anew: %v, want ErrRolledBack", err)
	}
	if _, err := archive.Open(t.Context(), b, ring, archive.Options{Spool: notes[0]}); err != nil {
		t.Errorf("a spool that is a file: %v", err)
	}
}
