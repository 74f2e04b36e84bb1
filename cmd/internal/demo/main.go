// Command demo shows walarchive's main job on recorded WAL of real servers,
// one plain and one with pg_tde: archive, verify, tamper, restore, compare. It
// needs the two programs and nothing else; everything happens in a temporary
// directory. make demo runs it.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"walarchive/fixtures"
)

func main() {
	bin := flag.String("bin", "bin", "directory with walarchive and walrestore")
	flag.Parse()
	if err := run(*bin); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(bin string) error {
	dir, err := os.MkdirTemp("", "walarchive-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err = filepath.Abs(bin)
	if err != nil {
		return err
	}
	s := &stage{bin: bin, dir: dir}
	for _, act := range []func(*stage) error{plainCluster, encryptedCluster} {
		if err := act(s); err != nil {
			return err
		}
	}
	s.say("\nDone. Both clusters came back byte for byte; what was tampered with was refused.")
	return nil
}

// plainCluster archives a cluster without encryption.
func plainCluster(s *stage) error {
	s.say("1. A plain PostgreSQL 17 cluster")
	c, err := s.cluster("A-plain", "plain")
	if err != nil {
		return err
	}
	s.say("   Make its archive: a file store, and a principal key in a keyring file.")
	if err := s.expect(0, "walarchive", "--config", c.config, "init", "--create-key"); err != nil {
		return err
	}
	s.say("   PostgreSQL would call this once for each segment (archive_command):")
	if err := s.push(c, "000000010000000000000008", "000000010000000000000009"); err != nil {
		return err
	}
	return s.verifyTamperRestore(c)
}

// encryptedCluster archives a cluster whose WAL pg_tde encrypts, across a
// rotation of the server's principal key and of the archive's own.
func encryptedCluster(s *stage) error {
	s.say("\n2. A cluster with Percona pg_tde: its WAL is ciphertext on disk")
	c, err := s.cluster("C-rotation", "tde")
	if err != nil {
		return err
	}
	if err := c.host.SetKeys("0-initial"); err != nil {
		return err
	}
	if err := s.expect(0, "walarchive", "--config", c.config, "init", "--create-key"); err != nil {
		return err
	}
	s.say("   Segments are decrypted in memory, checked page by page and record by record,")
	s.say("   and sealed under the archive's key. Plaintext never touches the disk.")
	if err := s.push(c, "00000001000000000000000A", "00000001000000000000000B"); err != nil {
		return err
	}
	s.say("   The DBA rotates the server's principal key and restarts the server;")
	s.say("   the archive's own principal key is rotated too. Nothing is rewritten.")
	if err := c.host.SetKeys("2-after-restart"); err != nil {
		return err
	}
	if err := s.expect(0, "walarchive", "--config", c.config, "keys", "rotate", "--to", "wal-2027", "--create-key"); err != nil {
		return err
	}
	if err := s.push(c, "00000001000000000000000C"); err != nil {
		return err
	}
	return s.verifyTamperRestore(c)
}

// push archives segments as archive_command does.
func (s *stage) push(c *cluster, names ...string) error {
	for _, name := range names {
		path, err := c.put(name)
		if err != nil {
			return err
		}
		if err := s.expect(0, "walarchive", "--config", c.config, "push", path); err != nil {
			return err
		}
	}
	return nil
}

// verifyTamperRestore is what happens to an archive afterwards.
func (s *stage) verifyTamperRestore(c *cluster) error {
	s.say("   Is the archive sound, to the last byte and record?")
	if err := s.expect(0, "walarchive", "--config", c.config, "verify", "--level", "full"); err != nil {
		return err
	}
	s.say("   Somebody changes one byte in a copy of the store:")
	if err := s.tampered(c); err != nil {
		return err
	}
	s.say("   Restore from the true one, as restore_command does, and compare with the server's own files:")
	for _, seg := range c.pushed {
		if err := s.restore(c, seg); err != nil {
			return err
		}
	}
	return nil
}

// tampered shows that a changed object is found and never handed out.
func (s *stage) tampered(c *cluster) error {
	copied := filepath.Join(s.dir, c.label+"-tampered")
	if err := os.CopyFS(copied, os.DirFS(c.store)); err != nil {
		return err
	}
	seg := c.pushed[len(c.pushed)-1]
	objects, err := filepath.Glob(filepath.Join(copied, "demo/wal/*/*/*", seg.Name))
	if err != nil || len(objects) != 1 {
		return errors.Join(err, fmt.Errorf("%d objects of %s in the store", len(objects), seg.Name))
	}
	b, err := os.ReadFile(objects[0])
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(objects[0], 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(objects[0], b, 0o600); err != nil {
		return err
	}
	url := "storage.url=file://" + copied
	if err := s.expect(1, "walarchive", "--config", c.config, "--set", url, "verify", "--level", "full"); err != nil {
		return err
	}
	dest := filepath.Join(c.host.PGData, "pg_wal", "RECOVERYXLOG")
	if err := s.expect(200, "walrestore", "--config", c.config, "--set", url, "get", seg.Name, dest); err != nil {
		return err
	}
	if _, err := os.Stat(dest); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("something was written to %s: %v", dest, err)
	}
	s.say("   Both refuse it, and code 200 stops PostgreSQL instead of letting it open early.")
	return nil
}

// restore fetches a segment and holds it against what the server had.
func (s *stage) restore(c *cluster, seg fixtures.Segment) error {
	dest := filepath.Join(c.host.PGData, "pg_wal", "RECOVERYXLOG")
	if err := s.expect(0, "walrestore", "--config", c.config, "get", seg.Name, dest); err != nil {
		return err
	}
	got, err := os.ReadFile(dest)
	if err != nil {
		return err
	}
	want, err := seg.Raw()
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s came back changed", seg.Name)
	}
	s.say("   %s: %d bytes, identical.", seg.Name, len(got))
	return nil
}
