package walarchive

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
