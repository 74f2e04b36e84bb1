package pitr_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/pitr"
)

func TestDetect(t *testing.T) {
	const conninfo = "primary_conninfo = 'host=db1'\n"
	const history = "pg_wal/RECOVERYHISTORY"
	tests := []struct {
		name  string
		files map[string]string // DIR in a content is the directory itself
		want  pitr.Situation
		dest  string // default: a segment's
	}{
		{"no signal file", map[string]string{"postgresql.conf": conninfo}, pitr.ByHand, ""},
		{"pg_rewind wants a history", map[string]string{"postgresql.conf": conninfo}, pitr.ByHand, history},
		{"a running server wants a history", map[string]string{"postmaster.pid": "1"}, pitr.Promotion, history},
		{"a running server wants a segment", map[string]string{"postmaster.pid": "1"}, pitr.ByHand, ""},
		{"a person beside a running server", map[string]string{"postmaster.pid": "1"}, pitr.ByHand, "/tmp/00000002.history"},
		{"a running recovery wants a history", map[string]string{"postmaster.pid": "1", "recovery.signal": ""}, pitr.Recovery, history},
		{"a running standby wants a history", map[string]string{"postmaster.pid": "1", "standby.signal": "", "postgresql.conf": conninfo}, pitr.Standby, history},
		{"recovery.signal", map[string]string{"recovery.signal": "", "postgresql.conf": ""}, pitr.Recovery, ""},
		{"recovery.signal with primary_conninfo", map[string]string{"recovery.signal": "", "postgresql.conf": conninfo}, pitr.Recovery, ""},
		{"standby.signal alone", map[string]string{"standby.signal": "", "postgresql.conf": ""}, pitr.Recovery, ""},
		{"standby.signal with primary_conninfo", map[string]string{"standby.signal": "", "postgresql.conf": conninfo}, pitr.Standby, ""},
		{"standby.signal wins", map[string]string{"standby.signal": "", "recovery.signal": "", "postgresql.conf": conninfo}, pitr.Standby, ""},
		{"configuration not readable", map[string]string{"standby.signal": ""}, pitr.Standby, ""},
		{"in a comment", map[string]string{"standby.signal": "", "postgresql.conf": "#" + conninfo}, pitr.Recovery, ""},
		{"behind other settings", map[string]string{"standby.signal": "", "postgresql.conf": "port=5433 # x\n\n  Primary_ConnInfo 'host=db1'  # the leader\n"}, pitr.Standby, ""},
		{"of a similar name", map[string]string{"standby.signal": "", "postgresql.conf": "primary_conninfo_x = 'a'\nx.primary_conninfo = 'a'\n"}, pitr.Recovery, ""},
		{"emptied later", map[string]string{"standby.signal": "", "postgresql.conf": conninfo + "primary_conninfo = ''\n"}, pitr.Recovery, ""},
		{"in postgresql.auto.conf", map[string]string{"standby.signal": "", "postgresql.conf": "", "postgresql.auto.conf": conninfo}, pitr.Standby, ""},
		{"emptied in postgresql.auto.conf", map[string]string{"standby.signal": "", "postgresql.conf": conninfo, "postgresql.auto.conf": "primary_conninfo = ''\n"}, pitr.Recovery, ""},
		{"with quotes in it", map[string]string{"standby.signal": "", "postgresql.conf": "primary_conninfo = 'password=''x'' host=db1'\n"}, pitr.Standby, ""},
		{"include", map[string]string{"standby.signal": "", "postgresql.conf": "include 'more/x'\n", "more/x": conninfo}, pitr.Standby, ""},
		{"include emptied behind", map[string]string{"standby.signal": "", "postgresql.conf": "include = 'x'\nprimary_conninfo=''\n", "x": conninfo}, pitr.Recovery, ""},
		{"include by absolute path", map[string]string{"standby.signal": "", "postgresql.conf": "include 'DIR/more/x'\n", "more/x": conninfo}, pitr.Standby, ""},
		{"include relative to the file", map[string]string{"standby.signal": "", "postgresql.conf": "include 'a/b'\n", "a/b": "include 'c'\n", "a/c": conninfo}, pitr.Standby, ""},
		{"include not readable", map[string]string{"standby.signal": "", "postgresql.conf": "include 'gone'\n"}, pitr.Standby, ""},
		{"include_if_exists of nothing", map[string]string{"standby.signal": "", "postgresql.conf": "include_if_exists 'gone'\n"}, pitr.Recovery, ""},
		{"include_if_exists", map[string]string{"standby.signal": "", "postgresql.conf": "include_if_exists 'x'\n", "x": conninfo}, pitr.Standby, ""},
		{"include without end", map[string]string{"standby.signal": "", "postgresql.conf": "include 'postgresql.conf'\n"}, pitr.Standby, ""},
		{"include_dir", map[string]string{"standby.signal": "", "postgresql.conf": "include_dir 'conf.d'\n", "conf.d/10.conf": conninfo}, pitr.Standby, ""},
		{"include_dir, the last file counts", map[string]string{"standby.signal": "", "postgresql.conf": "include_dir 'conf.d'\n", "conf.d/10.conf": conninfo, "conf.d/20.conf": "primary_conninfo=''"}, pitr.Recovery, ""},
		{"include_dir passes over others", map[string]string{"standby.signal": "", "postgresql.conf": "include_dir 'conf.d'\n", "conf.d/10.conf~": conninfo, "conf.d/.x.conf": conninfo}, pitr.Recovery, ""},
		{"include_dir missing", map[string]string{"standby.signal": "", "postgresql.conf": "include_dir 'conf.d'\n"}, pitr.Standby, ""},
		{"on the command line", map[string]string{"standby.signal": "", "postgresql.conf": "", "postmaster.opts": `/usr/bin/postgres "-D" "/data" "-c" "primary_conninfo=host=db1"` + "\n"}, pitr.Standby, ""},
		{"on the command line, long", map[string]string{"standby.signal": "", "postgresql.conf": "", "postmaster.opts": `/usr/bin/postgres "--primary-conninfo=host=db1"` + "\n"}, pitr.Standby, ""},
		{"on the command line, joined", map[string]string{"standby.signal": "", "postgresql.conf": "", "postmaster.opts": `/usr/bin/postgres "-cprimary_conninfo=host=db1"` + "\n"}, pitr.Standby, ""},
		{"emptied on the command line", map[string]string{"standby.signal": "", "postgresql.conf": conninfo, "postmaster.opts": `/usr/bin/postgres "-c" "primary_conninfo="` + "\n"}, pitr.Recovery, ""},
		{"config_file elsewhere", map[string]string{"standby.signal": "", "etc/main.conf": conninfo, "postmaster.opts": `/usr/bin/postgres "-c" "config_file=DIR/etc/main.conf"` + "\n"}, pitr.Standby, ""},
		{"config_file elsewhere, without it", map[string]string{"standby.signal": "", "postgresql.conf": conninfo, "etc/main.conf": "", "postmaster.opts": `/usr/bin/postgres "-c" "config_file=DIR/etc/main.conf"` + "\n"}, pitr.Recovery, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.files {
				write(t, filepath.Join(dir, name), strings.ReplaceAll(content, "DIR", dir))
			}
			got, err := pitr.Detect(dir, cmp.Or(tt.dest, "pg_wal/RECOVERYXLOG"))
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Whether a signal file is there must be known: a guess could end a recovery.
func TestDetectNeedsTheDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if got, err := pitr.Detect(file, "pg_wal/RECOVERYXLOG"); err == nil {
		t.Errorf("got %v, want an error", got)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever stands in a configuration, reading it ends, and well.
func FuzzDetect(f *testing.F) {
	for _, conf := range []string{
		"primary_conninfo = 'host=db1'\n", "primary_conninfo = 'it''s'\n#x\n", "include 'postgresql.conf'\ninclude_dir '.'\n",
		"primary_conninfo 'open\n", "include_if_exists = x\n", "= = '\n", "primary_conninfo='\\''\n",
	} {
		f.Add(conf, `/usr/bin/postgres "-D" "/data" "-c" "primary_conninfo=host=db1"`)
	}
	dir := f.TempDir()
	write(f, filepath.Join(dir, "standby.signal"), "")
	f.Fuzz(func(t *testing.T, conf, opts string) {
		write(t, filepath.Join(dir, "postgresql.conf"), conf)
		write(t, filepath.Join(dir, "postmaster.opts"), opts)
		got, err := pitr.Detect(dir, "pg_wal/RECOVERYXLOG")
		if err != nil || got != pitr.Standby && got != pitr.Recovery {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
