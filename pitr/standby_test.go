package pitr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/keys"
	keyfile "walarchive/keys/file"
	"walarchive/pitr"
	"walarchive/storage"
	"walarchive/storage/storagetest"
)

// blackHole is a store that takes calls and never answers.
func blackHole(ctx context.Context) error {
	<-ctx.Done()
	return &storage.Error{Op: "get", Name: "keys/00000001", Err: ctx.Err()}
}

// A promotion with the store black-holed asks for a segment and then for
// histories: one of these calls waits, for three seconds, the others do not.
func TestStandbyWaitsOnceForADeadStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := restorer(t, pitr.Standby, &bytes.Buffer{}, func(ctx context.Context) error { asked++; return blackHole(ctx) })
		begin := time.Now()
		for _, name := range []string{segment, "00000002.history", "00000003.history", segment} {
			if _, outcome, err := r.Restore(t.Context(), name, "pg_wal/RECOVERYXLOG"); outcome != pitr.Absent || err == nil {
				t.Errorf("%s: got outcome %d, %v", name, outcome, err)
			}
		}
		if took := time.Since(begin); took != 3*time.Second || asked != 1 {
			t.Errorf("the store was asked %d times, all took %v", asked, took)
		}
		time.Sleep(30 * time.Second)
		r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
		if asked != 2 {
			t.Errorf("half a minute later the store was asked %d times, want twice", asked)
		}
	})
}

// After half a minute the trouble counts no more.
func TestStandbyForgetsTheTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := storage.ErrUnavailable
		asked := 0
		r := restorer(t, pitr.Standby, &bytes.Buffer{}, func(context.Context) error { asked++; return answer })
		restore := func() { r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG") }
		restore()
		time.Sleep(30 * time.Second)
		answer = archive.ErrEnd
		restore()
		restore()
		if asked != 3 {
			t.Errorf("the store was asked %d times, want 3", asked)
		}
	})
}

// What is wrong with a file or a key says nothing about the next file.
func TestStandbyAsksAgainAfterFinalErrors(t *testing.T) {
	for _, err := range []error{archive.ErrDamaged, &keys.WrongKeyError{}, archive.ErrHole} {
		asked := 0
		r := restorer(t, pitr.Standby, &bytes.Buffer{}, func(context.Context) error { asked++; return err })
		for range 2 {
			r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
		}
		if asked != 2 {
			t.Errorf("%v: the store was asked %d times, want twice", err, asked)
		}
	}
}

// A note of trouble from the future, left by a clock that was set back, must
// not silence the archive until then.
func TestStandbyIgnoresTroubleFromTheFuture(t *testing.T) {
	asked := 0
	now := time.Now()
	r := restorer(t, pitr.Standby, &bytes.Buffer{}, func(context.Context) error { asked++; return storage.ErrUnavailable })
	r.Now = func() time.Time { return now }
	r.Restore(t.Context(), segment, "x")
	now = now.Add(-time.Hour)
	r.Restore(t.Context(), segment, "x")
	if asked != 2 {
		t.Errorf("the store was asked %d times, want twice", asked)
	}
}

// slow gives bytes out piece by piece, with a pause before each.
type slow struct {
	storage.Bucket
	piece int
	pause time.Duration
}

func (s *slow) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := s.Bucket.Get(ctx, name, off, n)
	if err != nil || !strings.HasSuffix(name, segment) {
		return r, err
	}
	return &slowReader{ctx, r, s}, nil
}

type slowReader struct {
	ctx context.Context
	io.ReadCloser
	s *slow
}

func (r *slowReader) Read(p []byte) (int, error) {
	select {
	case <-time.After(r.s.pause):
		return r.ReadCloser.Read(p[:min(len(p), r.s.piece)])
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}

// archived is an archive that holds one segment, and what the segment holds.
func archived(t testing.TB, d *archive.DataDir) (b *storagetest.Memory, open func(ctx context.Context, b storage.Bucket) (*archive.Archive, error), content []byte) {
	t.Helper()
	w := waltest.New(d.Identity(), 1, 0x300000)
	w.Fill(0)
	content = w.Segment(3)
	b = storagetest.NewMemory()
	p := keyfile.New(filepath.Join(t.TempDir(), "keyring"))
	if _, err := p.Create(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	ring := keys.NewRing(map[string]keys.Provider{"local": p})
	a, err := archive.Init(t.Context(), b, ring, keys.Ref{Provider: "local", Key: "k"}, d, false, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	history := wal.History{Timeline: 2, Entries: []wal.HistoryEntry{{Parent: 1, Switch: 0x900000}}}
	for name, content := range map[string][]byte{segment: content, "00000002.history": history.Bytes()} {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, string(content))
		if _, err := a.Push(t.Context(), d, path); err != nil {
			t.Fatal(err)
		}
	}
	return b, func(ctx context.Context, b storage.Bucket) (*archive.Archive, error) {
		return archive.Open(ctx, b, ring, archive.Options{})
	}, content
}

// A slow line is no dead store: as long as the segment keeps arriving, the
// standby waits.
func TestStandbyWaitsForASlowSegment(t *testing.T) {
	tests := []struct {
		name  string
		pause time.Duration // before each 4 KiB
		want  pitr.Outcome
	}{
		{"slow", 200 * time.Millisecond, pitr.Delivered},
		{"stalled", time.Hour, pitr.Absent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := restorer(t, pitr.Standby, &bytes.Buffer{}, nil)
				b, open, content := archived(t, r.Dir)
				r.Open = func(ctx context.Context) (*archive.Archive, error) {
					return open(ctx, &slow{b, 4096, tt.pause})
				}
				begin := time.Now()
				_, outcome, err := r.Restore(t.Context(), segment, "pg_wal/RECOVERYXLOG")
				took := time.Since(begin)
				if outcome != tt.want {
					t.Fatalf("got outcome %d, %v after %v", outcome, err, took)
				}
				if tt.want == pitr.Absent {
					if took != 3*time.Second {
						t.Errorf("it took %v", took)
					}
					return
				}
				got, err := os.ReadFile(filepath.Join(r.Dir.Path, "pg_wal/RECOVERYXLOG"))
				if err != nil || !bytes.Equal(got, content) || took <= 3*time.Second {
					t.Errorf("got %d bytes, %v after %v", len(got), err, took)
				}
			})
		})
	}
}

// What a standby is told about a history file when the archive cannot be asked.
func TestHistoryFromMemory(t *testing.T) {
	tests := []struct {
		name           string
		seen           bool // asked before the trouble
		file           string
		historyOnError pitr.OnError
		trouble        error
		want           pitr.Outcome
		says           string
	}{
		{"delivered before", true, "00000002.history", pitr.Auto, storage.ErrUnavailable, pitr.Delivered, ""},
		{"absent before", true, "00000003.history", pitr.Auto, storage.ErrUnavailable, pitr.Absent, "not in the archive as of"},
		{"never asked", true, "00000004.history", pitr.Auto, storage.ErrUnavailable, pitr.Absent, "timeline choice unproven"},
		{"nothing ever asked", false, "00000002.history", pitr.Auto, storage.ErrUnavailable, pitr.Absent, "timeline choice unproven"},
		{"never asked, stop", true, "00000004.history", pitr.Stop, storage.ErrUnavailable, pitr.Failed, "timeline choice unproven"},
		{"nothing ever asked, stop", false, "00000002.history", pitr.Stop, storage.ErrUnavailable, pitr.Failed, "timeline choice unproven"},
		{"delivered before, stop", true, "00000002.history", pitr.Stop, storage.ErrUnavailable, pitr.Delivered, ""},
		{"absent before, stop", true, "00000003.history", pitr.Stop, storage.ErrUnavailable, pitr.Absent, "as of"},
		{"damaged since", true, "00000002.history", pitr.Auto, archive.ErrDamaged, pitr.Delivered, ""},
		{"damaged", false, "00000002.history", pitr.Stop, archive.ErrDamaged, pitr.Failed, "timeline choice unproven"},
		{"a segment", true, segment, pitr.Stop, storage.ErrUnavailable, pitr.Absent, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := restorer(t, pitr.Standby, &bytes.Buffer{}, nil)
			b, open, _ := archived(t, r.Dir)
			var trouble error
			r.Open = func(ctx context.Context) (*archive.Archive, error) {
				if trouble != nil {
					return nil, fmt.Errorf("x: %w", trouble)
				}
				return open(ctx, b)
			}
			r.HistoryOnError = tt.historyOnError
			ask := func(name string) (pitr.Outcome, error) {
				_, outcome, err := r.Restore(t.Context(), name, "pg_wal/RECOVERYHISTORY")
				return outcome, err
			}
			if tt.seen {
				for name, want := range map[string]pitr.Outcome{"00000002.history": pitr.Delivered, "00000003.history": pitr.Absent} {
					if outcome, err := ask(name); outcome != want {
						t.Fatalf("%s: got outcome %d, %v", name, outcome, err)
					}
				}
			}
			dest := filepath.Join(r.Dir.Path, "pg_wal/RECOVERYHISTORY")
			if err := os.RemoveAll(dest); err != nil {
				t.Fatal(err)
			}
			trouble = tt.trouble
			outcome, err := ask(tt.file)
			if outcome != tt.want || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got outcome %d, %v, want %d, %q", outcome, err, tt.want, tt.says)
			}
			got, err := os.ReadFile(dest)
			if want := "1\t0/900000\t\n"; outcome == pitr.Delivered && string(got) != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			} else if outcome != pitr.Delivered && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is a file: %q, %v", got, err)
			}
		})
	}
}

// Whatever happens to the spool, it is a note in the log and not the answer.
func TestBrokenSpool(t *testing.T) {
	spoil := map[string]func(t *testing.T, dir string){
		"a file in its place": func(t *testing.T, dir string) { write(t, dir, "") },
		"no history list":     func(t *testing.T, dir string) { write(t, dir+"/main-7/histories.json", "{") },
		"an empty list":       func(t *testing.T, dir string) { write(t, dir+"/main-7/histories.json", "null") },
		"a directory for it":  func(t *testing.T, dir string) { write(t, dir+"/main-7/histories.json/x", "") },
	}
	for name, spoil := range spoil {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := restorer(t, pitr.Standby, &log, nil)
			r.Spool = filepath.Join(t.TempDir(), "spool")
			spoil(t, r.Spool)
			b, open, _ := archived(t, r.Dir)
			var trouble error
			r.Open = func(ctx context.Context) (*archive.Archive, error) {
				if trouble != nil {
					return nil, trouble
				}
				return open(ctx, b)
			}
			if _, outcome, err := r.Restore(t.Context(), "00000002.history", "pg_wal/RECOVERYHISTORY"); outcome != pitr.Delivered {
				t.Errorf("got outcome %d, %v", outcome, err)
			}
			trouble = storage.ErrUnavailable
			if _, outcome, err := r.Restore(t.Context(), "00000005.history", "pg_wal/RECOVERYHISTORY"); outcome != pitr.Absent || err == nil {
				t.Errorf("got outcome %d, %v", outcome, err)
			}
			if info, err := os.Stat(r.Spool); err == nil && !info.IsDir() && !strings.Contains(log.String(), "spool") {
				t.Errorf("the log says nothing:\n%s", &log)
			}
		})
	}
}

// The spools of two clusters, or of one name with another server, are apart.
func TestSpoolsAreApart(t *testing.T) {
	asked := 0
	open := func(context.Context) error { asked++; return storage.ErrUnavailable }
	first := restorer(t, pitr.Standby, &bytes.Buffer{}, open)
	others := []*pitr.Restorer{restorer(t, pitr.Standby, &bytes.Buffer{}, open), restorer(t, pitr.Standby, &bytes.Buffer{}, open)}
	others[0].Cluster = "other"
	others[1].Dir.Control.SystemID++
	first.Restore(t.Context(), segment, "x")
	for i, r := range others {
		r.Spool = first.Spool
		r.Restore(t.Context(), segment, "x")
		if asked != i+2 {
			t.Errorf("the archive was asked %d times, want %d", asked, i+2)
		}
	}
}
