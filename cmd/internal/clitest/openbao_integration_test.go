//go:build integration

package clitest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
	"walarchive/keys/keystest/servers"
)

const recordedState = "4-after-second-restart"

// TestOpenBao archives a recorded server whose keys were moved into a key
// service, under an archive key that never leaves it. The scripts find the
// server in $WORK/host, and in $WORK/secrets what its options call /srv/vault.
func TestOpenBao(t *testing.T) {
	s := servers.StartOpenBao(t)
	s.Mount(t, "", "transit", "transit")
	prepared := t.TempDir()
	moveKeys(t, s, filepath.Join(prepared, "host"))
	secrets := filepath.Join(prepared, "secrets")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"token": s.Token + "\n", "ca.pem": readText(t, s.CA)} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "testdata/openbao", func(e *testscript.Env) {
		e.Setenv("VAULT", s.URL)
		if err := os.CopyFS(e.WorkDir, os.DirFS(prepared)); err != nil {
			e.T().Fatal(err)
		}
	})
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// moveKeys lays a recorded server out below dir, and what its keyring files
// hold in the service, one engine for each of its providers.
func moveKeys(t *testing.T, s *servers.Vault, dir string) {
	t.Helper()
	scenario, err := fixtures.Open("C-rotation")
	if err != nil {
		t.Fatal(err)
	}
	host, err := scenario.Unpack(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := host.SetKeys(recordedState); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(host.PGData, "pg_tde", "1664_providers")
	providers, err := tde.ParseProviders([]byte(readText(t, name)), tde.Percona)
	if err != nil {
		t.Fatal(err)
	}
	var moved []byte
	for i, p := range providers {
		o, err := p.Options()
		if err != nil {
			t.Fatal(err)
		}
		mount := fmt.Sprintf("tde%d", i)
		s.Mount(t, "", mount, "kv")
		putKeyring(t, s, mount, filepath.Join(host.Keyrings, filepath.Base(o.(tde.FileOptions).Path)))
		text := fmt.Sprintf(`{"url" : %q, "mountPath" : %q, "tokenPath" : "/srv/vault/token", "caPath" : "/srv/vault/ca.pem"}`, s.URL, mount)
		const vaultType = 2
		moved = append(moved, tdetest.Provider(p.ID, p.Name, text, vaultType)...)
	}
	if err := os.WriteFile(name, moved, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(host.Keyrings); err != nil {
		t.Fatal(err)
	}
}

// putKeyring stores the keys of a keyring file; package keys/file has the form.
func putKeyring(t *testing.T, s *servers.Vault, mount, name string) {
	t.Helper()
	const record = 292
	for b := []byte(readText(t, name)); len(b) >= record; b = b[record:] {
		key, _, _ := strings.Cut(string(b[:256]), "\x00")
		s.Do(t, "", http.MethodPost, mount+"/data/"+key, map[string]any{
			"data": map[string]string{"key": base64.StdEncoding.EncodeToString(bytes.Clone(b[256 : 256+int(b[288])]))},
		})
	}
}
