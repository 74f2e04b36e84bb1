package clitest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
	"walarchive/keys/keystest/kmiptest"
)

// TestKMIP archives a recorded server whose keys were moved into a service of
// KMIP, under an archive key that is there, too. The scripts find the server
// in $WORK/host, in $WORK/pg what its options call /srv/kms, and in $WORK/wal
// the certificate of the archive's user.
func TestKMIP(t *testing.T) {
	ca := kmiptest.NewAuthority(t)
	s := kmiptest.StartCosmian(t, ca.ServerConfig(t, ca.Server(t)))
	s.Put("wal", "revoked", make([]byte, 32), kmip.StateDeactivated)
	run(t, "testdata/kmip", func(e *testscript.Env) {
		e.Setenv("KMS", s.Port)
		moveKeysToKMIP(t, s, filepath.Join(e.WorkDir, "host"))
		for _, user := range []string{"pg", "wal"} {
			copyPair(t, ca, user, filepath.Join(e.WorkDir, user))
		}
	})
}

// TestCredential has a recorded server and a service of KMIP, with its
// certificates in $WORK/wal and $WORK/pg.
func TestCredential(t *testing.T) {
	ca := kmiptest.NewAuthority(t)
	s := kmiptest.StartCosmian(t, ca.ServerConfig(t, ca.Server(t)))
	run(t, "testdata/credential", func(e *testscript.Env) {
		e.Setenv("KMS", s.Port)
		for _, user := range []string{"pg", "wal"} {
			copyPair(t, ca, user, filepath.Join(e.WorkDir, user))
		}
	})
}

// copyPair puts the certificate and key of a user into dir, and that of the CA.
func copyPair(t *testing.T, ca *kmiptest.Authority, user, dir string) {
	t.Helper()
	pair := ca.Client(t, user)
	for name, from := range map[string]string{"ca.pem": ca.File, "cert.pem": pair.Cert, "key.pem": pair.Key} {
		copyFile(t, from, filepath.Join(dir, name))
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// moveKeysToKMIP lays a recorded server out below dir, and what its keyring
// files hold in the service, Pre-Active as pg_tde leaves them. The keyrings
// become one: their keys have different names.
func moveKeysToKMIP(t *testing.T, s *kmiptest.Cosmian, dir string) {
	t.Helper()
	scenario, err := fixtures.Open("C-rotation")
	if err != nil {
		t.Fatal(err)
	}
	host, err := scenario.Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := host.SetKeys("4-after-second-restart"); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(host.PGData, "pg_tde", "1664_providers")
	records, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	providers, err := tde.ParseProviders(records, tde.Percona)
	if err != nil {
		t.Fatal(err)
	}
	var moved []byte
	for _, p := range providers {
		o, err := p.Options()
		if err != nil {
			t.Fatal(err)
		}
		putKeyringIntoKMIP(t, s, filepath.Join(host.Keyrings, filepath.Base(o.(tde.FileOptions).Path)))
		text := fmt.Sprintf(`{"host" : "127.0.0.1", "port" : %s, "caPath" : "/srv/kms/ca.pem", "certPath" : "/srv/kms/cert.pem", "keyPath" : "/srv/kms/key.pem"}`, s.Port)
		const kmipType = 3
		moved = append(moved, tdetest.Provider(p.ID, p.Name, text, kmipType)...)
	}
	if err := os.WriteFile(name, moved, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(host.Keyrings); err != nil {
		t.Fatal(err)
	}
}

// putKeyringIntoKMIP stores the keys of a keyring file; package keys/file has
// the form.
func putKeyringIntoKMIP(t *testing.T, s *kmiptest.Cosmian, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const record = 292
	for ; len(b) >= record; b = b[record:] {
		key, _, _ := strings.Cut(string(b[:256]), "\x00")
		s.Put("pg", key, b[256:256+int(b[288])], kmip.StatePreActive)
	}
}
