//go:build cosmian

package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"walarchive/keys/keystest/kmiptest"
)

// Cosmian is the real Cosmian KMS, by its KMIP socket listener. The common
// name of a client's certificate is its user.
type Cosmian struct {
	*Process
	Port string
	CA   *kmiptest.Authority

	client kmiptest.Pair
}

// StartCosmian starts a server without keys. It has to be built from source,
// which takes Rust and many minutes: see make test-cosmian.
func StartCosmian(t testing.TB) *Cosmian {
	t.Helper()
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	_, web, err := net.SplitHostPort(FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	ca := kmiptest.NewAuthority(t)
	s := &Cosmian{Port: port, CA: ca, client: ca.Client(t, "probe")}
	pair := ca.Server(t)
	cmd := exec.Command(Program(t, "cosmian/bin/cosmian_kms"),
		"--database-type", "sqlite", "--sqlite-path", filepath.Join(dir, "data"),
		"--hostname", "127.0.0.1", "--port", web,
		"--socket-server-start", "--socket-server-hostname", "127.0.0.1", "--socket-server-port", port,
		"--tls-cert-file", pair.Cert, "--tls-key-file", pair.Key, "--clients-ca-cert-file", ca.File)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "RUST_LOG=warn")
	s.Process = Start(t, cmd, s.ready)
	return s
}

// ready reports whether the server takes connections.
func (s *Cosmian) ready() error { return shakeHands(s.CA, s.client, s.Port) }
