package walarchive

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/storage"
	"walarchive/storage/storagetest"
)

func TestCheckCommand(t *testing.T) {
	program := filepath.Join(t.TempDir(), "walarchive")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, command, library, says string }{
		{"by name", "walarchive push %p", "", ""},
		{"by path", program + " push %p", "", ""},
		{"with options", program + " --config /etc/w.toml push %p --set log.level=info", "", ""},
		{"quoted", `'` + program + `' push "%p"`, "", ""},
		{"below others", "PGTZ=UTC nice " + program + " push %p && true", "", ""},
		{"empty", "", "", "empty"},
		{"true", "/bin/true", "", "does not call walarchive"},
		{"another program", "wal-g wal-push %p", "", "does not call walarchive"},
		{"another command", "walarchive verify %p", "", "does not call walarchive"},
		{"name alone", "walarchive push %f", "", "does not call walarchive"},
		{"not there", program + "/walarchive push %p", "", "is no program"},
		{"library", "walarchive push %p", "basic_archive", "archive_library = basic_archive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var u checkup
			good := u.checkCommand(tt.command, tt.library)
			if got := u.findings[0]; good != (tt.says == "") || good != u.sound() || !strings.Contains(got.Detail, tt.says) {
				t.Errorf("got %v, %+v, want %q", good, got, tt.says)
			}
		})
	}
}

// heedless is a store that ignores the condition of a Put.
type heedless struct{ storage.Bucket }

func (h heedless) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	if err := h.Delete(ctx, name); err != nil {
		return err
	}
	return h.Bucket.Put(ctx, name, body)
}

func TestCheckStore(t *testing.T) {
	noDelete := &storagetest.Flaky{Bucket: storagetest.NewMemory(), Fail: func(op, _ string, _ int) error {
		if op == "delete" {
			return storage.ErrPermission
		}
		return nil
	}}
	tests := []struct {
		name  string
		b     storage.Bucket
		check string // that says something; the others are ok
		want  result
		says  string
	}{
		{"sound", storagetest.NewMemory(), "", resultOK, ""},
		{"heedless", heedless{storagetest.NewMemory()}, "store: conditional write", resultProblem, "DANGEROUS: "},
		{"no right to delete", noDelete, "store: delete", resultWarning, " stays"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var u checkup
			u.probe(t.Context(), "store", tt.b)
			if len(u.findings) != 6 || u.sound() != (tt.want != resultProblem) {
				t.Fatalf("got %+v", u.findings)
			}
			for _, f := range u.findings {
				switch {
				case f.Check != tt.check && f.Result != resultOK:
					t.Errorf("%+v, want ok", f)
				case f.Check == tt.check && (f.Result != tt.want || !strings.Contains(f.Detail, tt.says) || f.Hint == ""):
					t.Errorf("%+v, want %s: %q and a hint", f, tt.want, tt.says)
				}
			}
		})
	}
}

func TestServerFromPostmasterPID(t *testing.T) {
	tests := []struct{ name, pid, want string }{
		{"socket", "42\n/data\n1700000000\n5433\n/run/postgresql\nlocalhost\n 12 34\nready   \n", "/run/postgresql, port 5433"},
		{"no socket", "42\n/data\n1700000000\n5432\n\n10.0.0.1\n", "10.0.0.1, port 5432"},
		{"all addresses", "42\n/data\n1700000000\n5432\n\n*\n", "localhost, port 5432"},
		{"starting", "42\n/data\n1700000000\n5432\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if s := parsePID(tt.pid); s != nil {
				got = s.String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
