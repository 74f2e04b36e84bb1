package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/config"
)

// socket is where the agent of the data directory d listens: agent.socket,
// else one of its own in the spool, so that the servers of a host do not meet.
func socket(c *config.Config, d *archive.DataDir) (string, error) {
	if c.Agent.Socket != "" {
		return c.Agent.Socket, nil
	}
	info, err := os.Stat(d.Path)
	if err != nil {
		return "", err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("%s: its inode cannot be had", d.Path)
	}
	// By inode: the two commands may come to the directory by different paths.
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%d", st.Dev, st.Ino))
	return filepath.Join(spool(c, d), "agent-"+hex.EncodeToString(sum[:4])), nil
}

// spool is the directory for what concerns the cluster of d.
func spool(c *config.Config, d *archive.DataDir) string {
	return filepath.Join(c.Spool.Path, fmt.Sprintf("%s-%d", c.Cluster.Name, d.Control.SystemID))
}

// digest is of all that decides what a call means.
func digest(c *config.Config) string { return c.Digest(command.Version()) }
