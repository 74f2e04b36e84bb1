//go:build integration

package wal_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"walarchive/archive/wal"
)

// Every installed PostgreSQL makes a cluster; pg_controldata is the oracle.
func TestParseControlAgainstControldata(t *testing.T) {
	bindirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bindirs) == 0 {
		t.Fatalf("no PostgreSQL in /usr/lib/postgresql (%v)", err)
	}
	for _, bin := range bindirs {
		t.Run(filepath.Base(filepath.Dir(bin)), func(t *testing.T) {
			home, server := serverHome(t)
			data := filepath.Join(home, "data")
			run(t, server, filepath.Join(bin, "initdb"), "-D", data, "-k", "-N", "--wal-segsize=64")
			file := filepath.Join(data, "global", "pg_control")
			fresh, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range [][]byte{fresh, unlikely(fresh)} {
				if err := os.WriteFile(file, b, 0o600); err != nil {
					t.Fatal(err)
				}
				got, err := wal.ParseControl(b)
				if err != nil {
					t.Fatal(err)
				}
				wantText(t, parseControldata(run(t, server, filepath.Join(bin, "pg_controldata"), data)), controldata(got))
			}
		})
	}
}

// serverHome is a directory of a user that PostgreSQL accepts, and what makes
// a command run as that user: postgres, when the test itself runs as root.
func serverHome(t *testing.T) (dir string, as *syscall.SysProcAttr) {
	t.Helper()
	dir = t.TempDir()
	if os.Getuid() != 0 {
		return dir, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// run returns what the command printed.
func run(t *testing.T, as *syscall.SysProcAttr, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = as
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// parseControldata reads the output of pg_controldata in the C locale.
func parseControldata(text string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		m[name] = strings.TrimSpace(value)
	}
	return m
}

// controldata names the fields of c as pg_controldata does.
func controldata(c wal.Control) map[string]string {
	dec := func(v uint32) string { return strconv.FormatUint(uint64(v), 10) }
	return map[string]string{
		"pg_control version number":          dec(c.ControlVersion),
		"Catalog version number":             dec(c.CatalogVersion),
		"Database system identifier":         strconv.FormatUint(c.SystemID, 10),
		"Database cluster state":             c.State.String(),
		"Latest checkpoint location":         c.Checkpoint.String(),
		"Latest checkpoint's REDO location":  c.Redo.String(),
		"Latest checkpoint's TimeLineID":     c.CheckpointTimeline.String(),
		"Minimum recovery ending location":   c.MinRecovery.LSN.String(),
		"Min recovery ending loc's timeline": c.MinRecovery.Timeline.String(),
		"Database block size":                dec(c.BlockSize),
		"WAL block size":                     dec(c.WALBlockSize),
		"Bytes per WAL segment":              strconv.FormatInt(c.SegmentSize, 10),
		"Data page checksum version":         dec(c.ChecksumVersion),
		"Latest checkpoint's REDO WAL file":  wal.SegmentAt(c.CheckpointTimeline, c.Redo, c.SegmentSize).String(),
	}
}
