//go:build integration

package keystream

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// The tests of this package once more on an emulated arm64 processor, which
// has the AES extension: its kernel must be among those that were run.
func TestARM64(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-exec", "qemu-aarch64-static", ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("--- PASS: TestPGTDEVectors/aese/")) {
		t.Errorf("the arm64 kernel was not run:\n%s", out)
	}
}
