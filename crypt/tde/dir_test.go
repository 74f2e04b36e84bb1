package tde_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
)

func writeFile(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	tests := []struct {
		name string
		dirs []string
		want string
		err  error
	}{
		{name: "none"},
		{name: "Percona's", dirs: []string{"pg_tde"}, want: "pg_tde"},
		{name: "the fork's", dirs: []string{"open_pg_tde"}, want: "open_pg_tde"},
		{name: "both", dirs: []string{"pg_tde", "open_pg_tde"}, err: tde.ErrAmbiguous},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pgdata := t.TempDir()
			for _, d := range tt.dirs {
				if err := os.Mkdir(filepath.Join(pgdata, d), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			got, found, err := tde.Find(pgdata)
			if !errors.Is(err, tt.err) || tt.err == nil && found != (tt.want != "") {
				t.Fatalf("got %q, %v, %v; want %q, %v", got, found, err, tt.want, tt.err)
			}
			if found && got != filepath.Join(pgdata, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOpenWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	d, err := tde.Open(dir)
	if err != nil || !d.Missing || d.KeyFile.Header != nil {
		t.Errorf("empty directory: got %+v, %v", d, err)
	}
	writeFile(t, dir, "wal_keys", nil)
	d, err = tde.Open(dir)
	if err != nil || d.Missing || d.KeyFile.Header != nil {
		t.Errorf("empty wal_keys: got %+v, %v", d, err)
	}
}

func TestOpenIgnoresWhatARewriteLeftBehind(t *testing.T) {
	dir := tdetest.KeyFile{}.Write(t, t.TempDir(), tde.Percona)
	writeFile(t, dir, "wal_keys.r", []byte("half"))
	if _, err := tde.Open(dir); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		err   error
		text  string
	}{
		{"the 1.0 beta", map[string]string{"1664_keys": "x"}, tde.ErrUnsupported, "beta of pg_tde 1.0"},
		{"a damaged wal_keys", map[string]string{"wal_keys": "WEK\x02"}, tde.ErrDamaged, "wal_keys: damaged"},
		{"a newer version", map[string]string{"wal_keys": "WEK\x05" + strings.Repeat("\x00", 400)}, tde.ErrUnsupported, "57 45 4B 05"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.files {
				writeFile(t, dir, name, []byte(content))
			}
			_, err := tde.Open(dir)
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want %v with %q and the path", err, tt.err, tt.text)
			}
		})
	}
	if _, err := tde.Open(filepath.Join(t.TempDir(), "pg_tde")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestOpenFollowsTheBetaAfterAnUpgrade(t *testing.T) {
	dir := tdetest.KeyFile{}.Write(t, t.TempDir(), tde.Percona)
	writeFile(t, dir, "1664_keys", nil)
	if _, err := tde.Open(dir); err != nil {
		t.Errorf("1664_keys beside wal_keys: %v", err)
	}
}

func TestOpenTellsTheFlavor(t *testing.T) {
	tests := []struct {
		name    string
		version tde.Version
		dir     string // its name
		want    tde.Flavor
	}{
		{"Percona's name", tde.Version2, "pg_tde", tde.Percona},
		{"the fork's name, version 2", tde.Version2, "open_pg_tde", tde.Fork},
		{"a copy under another name", tde.Version2, "copy", tde.Percona},
		{"a copy of version 3", tde.Version3, "copy", tde.Fork},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := tde.Open(tdetest.KeyFile{Version: tt.version}.Write(t, t.TempDir(), tde.Flavor(tt.dir)))
			if err != nil {
				t.Fatal(err)
			}
			if d.Flavor != tt.want {
				t.Errorf("got %s, want %s", d.Flavor, tt.want)
			}
		})
	}
	t.Run("the working directory", func(t *testing.T) {
		t.Chdir(tdetest.KeyFile{}.Write(t, t.TempDir(), tde.Fork))
		if d, err := tde.Open("."); err != nil || d.Flavor != tde.Fork {
			t.Errorf("got %+v, %v", d, err)
		}
	})
}

func appendFile(t *testing.T, path, s string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, s...), 0o600); err != nil {
		t.Fatal(err)
	}
}
