//go:build integration

package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"walarchive/keys/keystest/kmiptest"
)

// PyKMIP is a service of KMIP 1.0 to 1.4, over TLS 1.2 only. The common name
// of a client's certificate is its user.
type PyKMIP struct {
	*Process
	Port string
	CA   *kmiptest.Authority

	client kmiptest.Pair
}

// StartPyKMIP starts a server without keys. It is Debian's package, for which
// Debian's own Python is needed.
func StartPyKMIP(t testing.TB) *PyKMIP {
	t.Helper()
	const program = "/usr/bin/pykmip-server"
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: run cmd/internal/testenv/install.sh (make install)", err)
	}
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	ca := kmiptest.NewAuthority(t)
	s := &PyKMIP{Port: port, CA: ca, client: ca.Client(t, "probe")}
	pair, policies := ca.Server(t), filepath.Join(dir, "policies")
	config := fmt.Sprintf("[server]\nhostname=127.0.0.1\nport=%s\ncertificate_path=%s\nkey_path=%s\nca_path=%s\n"+
		"auth_suite=TLS1.2\npolicy_path=%s\nenable_tls_client_auth=True\nlogging_level=INFO\ndatabase_path=%s\n",
		port, pair.Cert, pair.Key, ca.File, policies, filepath.Join(dir, "keys.db"))
	file := filepath.Join(dir, "server.conf")
	if err := errors.Join(os.Mkdir(policies, 0o700), os.WriteFile(file, []byte(config), 0o600)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", program, "-f", file, "-l", filepath.Join(dir, "pykmip.log"))
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=/bin:/usr/bin"}
	s.Process = Start(t, cmd, s.ready)
	return s
}

// ready reports whether the server takes connections.
func (s *PyKMIP) ready() error { return shakeHands(s.CA, s.client, s.Port) }
