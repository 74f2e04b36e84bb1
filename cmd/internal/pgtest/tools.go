package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Tools are the built programs under test.
type Tools struct {
	Walarchive string // paths
	Walrestore string
}

// Build builds both programs into dir, which the server's account must reach.
func Build(dir string) (Tools, error) {
	err := GoBuild(dir, "walarchive/cmd/walarchive", "walarchive/cmd/walrestore")
	return Tools{filepath.Join(dir, "walarchive"), filepath.Join(dir, "walrestore")}, err
}

// GoBuild builds packages of this module into dir, statically, as they are
// released.
func GoBuild(dir string, packages ...string) error {
	build := exec.Command("go", append([]string{"build", "-trimpath", "-o", dir}, packages...)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %v: %w\n%s", packages, err, out)
	}
	return nil
}
