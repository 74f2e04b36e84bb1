package credential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"walarchive/keys"
)

// systemdCreds is the program of systemd that seals credentials.
const systemdCreds = "systemd-creds"

// toolTimeout bounds a run of it; a TPM takes a second.
const toolTimeout = 30 * time.Second

// HaveSystemd reports whether this host can seal by systemd.
func HaveSystemd() bool {
	_, err := exec.LookPath(systemdCreds)
	return err == nil
}

// What systemd-creds is asked to do.
const (
	encrypt = "encrypt"
	decrypt = "decrypt"
)

// toolError is systemd-creds refusing.
type toolError struct {
	action string
	said   string
	err    error
}

func (e *toolError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("%s: %v", systemdCreds, e.err)
	}
	return fmt.Sprintf("%s: %s", systemdCreds, e.said)
}

func (e *toolError) Unwrap() []error { return []error{keys.ErrUnavailable, e.err} }

func systemdEncrypt(ctx context.Context, name string, text []byte) ([]byte, error) {
	return runTool(ctx, text, encrypt, name, "-")
}

func systemdDecrypt(name, path string) ([]byte, error) {
	return runTool(context.Background(), nil, decrypt, name, path)
}

func runTool(ctx context.Context, in []byte, action, name, from string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, systemdCreds, action, "--name="+name, from, "-")
	c.Stdin = bytes.NewReader(in)
	var said strings.Builder
	c.Stderr = &said
	out, err := c.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, &toolError{action: action, err: err}
	case err != nil:
		return nil, &toolError{action, lastLine(said.String()), err}
	}
	return out, nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
