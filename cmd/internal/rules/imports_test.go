// Package rules holds the tests that keep the project in its shape. It has no
// code.
package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "walarchive"

// below says which packages of the module each package may import. Arrows
// point down only; "name/..." is name and everything below it. A package that
// is not here has no place in the design yet.
var below = map[string][]string{
	"archive/wal": {},
	"crypt":       {},
	"storage":     {},

	"crypt/seal": {"crypt"},
	"crypt/tde":  {"crypt", "archive/wal", "crypt/tde/internal/keystream"},

	"crypt/tde/internal/keystream": {},

	"keys":        {"crypt", "keys/escrow"},
	"keys/escrow": {"crypt"},
	"keys/file":   {"crypt", "keys"},
	"keys/vault":  {"crypt", "keys"},
	"keys/kmip":   {"crypt", "keys"},
	"keys/all":    {"keys", "keys/file", "keys/vault", "keys/kmip"},

	"keys/credential": {"crypt", "keys"},

	"storage/file":   {"storage"},
	"storage/limit":  {"storage"},
	"storage/mirror": {"storage"},
	"storage/remote": {"storage"},
	"storage/s3":     {"storage", "storage/remote"},
	"storage/gcs":    {"storage", "storage/remote"},
	"storage/azure":  {"storage", "storage/remote"},
	"storage/all":    {"storage", "storage/file", "storage/s3", "storage/gcs", "storage/azure"},

	"archive":       {"archive/wal", "crypt", "crypt/seal", "crypt/tde", "keys", "keys/escrow", "storage", "storage/mirror"},
	"archive/queue": {"archive", "archive/wal", "crypt", "crypt/seal", "crypt/tde", "keys", "storage"},
	"pitr":          {"archive", "archive/queue", "archive/wal", "crypt", "crypt/seal", "crypt/tde", "keys", "storage"},

	"cmd/...": {"..."},

	// For tests, and the demo. See forTests.
	"fixtures":                {},
	"archive/wal/waltest":     {"archive/wal"},
	"crypt/tde/tdetest":       {"archive/wal", "crypt", "crypt/tde"},
	"keys/keystest/...":       {"crypt", "keys"},
	"storage/storagetest/...": {"storage"},
}

// forTests may be imported by tests, by each other, and by the demo only.
var forTests = []string{"fixtures", "archive/wal/waltest", "crypt/tde/tdetest", "keys/keystest/...", "storage/storagetest/..."}

// mayImportTests are the programs that show and test the others.
var mayImportTests = append([]string{"cmd/internal/demo", "cmd/internal/clitest", "cmd/internal/pgtest/...", "cmd/internal/teststores"}, forTests...)

// outside says which packages of other modules a package may import; the
// standard library is open to all. cmd may import any.
var outside = map[string][]string{
	"crypt/seal":    {"github.com/klauspost/compress/...", "github.com/pierrec/lz4/v4", "golang.org/x/sync/..."},
	"storage/file":  {"golang.org/x/sys/unix"},
	"storage/limit": {"golang.org/x/time/rate"},
	"storage/s3":    {"github.com/aws/..."},
	"storage/gcs":   {"cloud.google.com/...", "google.golang.org/...", "github.com/googleapis/...", "golang.org/x/..."},
	"storage/azure": {"github.com/Azure/..."},
	"keys/file":     {"golang.org/x/sys/unix"},
	"keys/escrow":   {"filippo.io/age/..."},
	"keys/vault":    {"github.com/hashicorp/vault/api/...", "golang.org/x/sync/..."},
	"keys/kmip":     {"github.com/ovh/kmip-go/...", "golang.org/x/sync/..."},
	"archive":       {"golang.org/x/sync/...", "golang.org/x/sys/unix"},
	"archive/queue": {"golang.org/x/sync/...", "golang.org/x/sys/unix"},
	"pitr":          {"golang.org/x/sync/...", "golang.org/x/sys/unix"},
	"cmd/...":       {"..."},

	"crypt/tde/internal/keystream": {"golang.org/x/sys/cpu"},

	"keys/keystest/...":       {"golang.org/x/sync/...", "github.com/ovh/kmip-go/..."},
	"storage/storagetest/...": {"golang.org/x/sync/...", "github.com/aws/...", "github.com/Shopify/toxiproxy/v2/...", "github.com/prometheus/client_golang/prometheus", "github.com/rs/zerolog"},
}

// lonely packages import the standard library only, in their tests too.
var lonely = []string{"archive/wal", "crypt", "storage"}

type listed struct {
	ImportPath   string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
}

// name is the package's path inside the module.
func (p listed) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// packages lists the packages of the module, those of integration tests too.
func packages(t *testing.T) []listed {
	t.Helper()
	lookAround(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-tags", "integration", "-json=ImportPath,Dir,Imports,TestImports,XTestImports,GoFiles", module+"/...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

const root = "../../.."

// lookAround opens every directory of the module, so that go test takes no
// cached result of these tests for one about today's files: of what go list
// reads it knows nothing.
func lookAround(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if path != root && err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// matches reports whether a pattern of the tables above covers name.
func matches(pattern, name string) bool {
	dir, tree := strings.CutSuffix(pattern, "...")
	if !tree {
		return name == pattern
	}
	return strings.HasPrefix(name+"/", dir)
}

func anyMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// lookup finds the entry of a table for a package.
func lookup(table map[string][]string, name string) ([]string, bool) {
	if v, ok := table[name]; ok {
		return v, true
	}
	for pattern, v := range table {
		if matches(pattern, name) {
			return v, true
		}
	}
	return nil, false
}

// violation says what is wrong with one import; empty if nothing is.
func violation(importer, imported string) string {
	inner, ours := strings.CutPrefix(imported, module+"/")
	switch {
	case !ours && !strings.Contains(strings.Split(imported, "/")[0], "."):
		return "" // standard library
	case !ours:
		allowed, _ := lookup(outside, importer)
		if !anyMatches(allowed, imported) {
			return "may not import " + imported
		}
	case anyMatches(forTests, inner):
		if !anyMatches(mayImportTests, importer) {
			return "imports " + inner + ", which is for tests"
		}
	default:
		allowed, known := lookup(below, importer)
		if !known {
			return "has no place in the table of this test"
		}
		if !anyMatches(allowed, inner) {
			return "may not import " + inner
		}
	}
	return ""
}

func TestImportsPointDown(t *testing.T) {
	all := packages(t)
	if len(all) < 10 {
		t.Fatalf("go list found %d packages", len(all))
	}
	for _, p := range all {
		if _, known := lookup(below, p.name()); !known {
			t.Errorf("%s has no place in the table of this test", p.name())
		}
		for _, i := range p.Imports {
			if v := violation(p.name(), i); v != "" {
				t.Errorf("%s %s", p.name(), v)
			}
		}
	}
}

// Leaves stay leaves: their tests may use the fixtures and nothing else of ours.
func TestLeavesImportNothing(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(lonely, p.name()) {
			continue
		}
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			inner, ours := strings.CutPrefix(i, module+"/")
			foreign := !ours && strings.Contains(strings.Split(i, "/")[0], ".")
			if foreign || ours && inner != p.name() && !anyMatches(forTests, inner) {
				t.Errorf("%s imports %s", p.name(), i)
			}
		}
	}
}

// The rules themselves, so that a slip in the tables shows.
func TestViolation(t *testing.T) {
	tests := []struct {
		importer, imported string
		want               string
	}{
		{"archive", "walarchive/storage", ""},
		{"archive", "fmt", ""},
		{"archive", "crypto/aes", ""},
		{"storage", "walarchive/archive", "may not import archive"},
		{"keys", "walarchive/archive/wal", "may not import archive/wal"},
		{"archive", "walarchive/storage/file", "may not import storage/file"},
		{"archive", "walarchive/pitr", "may not import pitr"},
		{"archive", "walarchive/cmd/internal/config", "may not import cmd/internal/config"},
		{"archive", "walarchive/fixtures", "imports fixtures, which is for tests"},
		{"cmd/walarchive", "walarchive/fixtures", "imports fixtures, which is for tests"},
		{"cmd/internal/demo", "walarchive/fixtures", ""},
		{"cmd/walarchive", "github.com/urfave/cli/v2", ""},
		{"storage/remote", "walarchive/storage/s3", "may not import storage/s3"},
		{"storage/remote", "golang.org/x/sync/errgroup", "may not import golang.org/x/sync/errgroup"},
		{"storage", "golang.org/x/sync/errgroup", "may not import golang.org/x/sync/errgroup"},
		{"elsewhere", "walarchive/crypt", "has no place in the table of this test"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s imports %s", tt.importer, tt.imported), func(t *testing.T) {
			if got := violation(tt.importer, tt.imported); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
