package clitest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/rogpeppe/go-internal/testscript"

	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
	"walarchive/keys/keystest/kmiptest"
)

// rotated is a recorded server that was rotated twice, the second time to a key
// of another provider.
const rotated = "C-rotation"

// service is a key service that has the principal keys of a recorded server and
// of the archive.
type service struct {
	archive string // the provider of the archive's keys in the configuration, with $WORK in it
	options string // of the server's providers, which call $WORK/secrets /srv/kms
	kind    uint32 // of them, as in 1664_providers
	down    string // an option of theirs with which the service is out of reach
	secrets map[string]string
	put     func(name string, key []byte) error
	forget  func(name string) error
}

// runServices runs the scripts for key services, each with a service of its own,
// for they destroy keys: the recorded server's keys are in it, of every state,
// and nowhere else. Beside the others there are the commands
//
//	state STATE DIR   lay out the server, in one of its states, below DIR
//	forget KEY        destroy a key in the service
func runServices(t *testing.T, start func(t *testing.T) service) {
	scripts, err := filepath.Glob("testdata/services/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(len(scripts), err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) { start(t).run(t, script) })
	}
}

func (s service) run(t *testing.T, script string) {
	scenario, err := fixtures.Open(rotated)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range recordedKeys(t, scenario) {
		if err := s.put(name, key); err != nil {
			t.Fatalf("store %s: %v", name, err)
		}
	}
	forget := func(ts *testscript.TestScript, neg bool, args []string) {
		want(ts, neg, args, "forget KEY", 1)
		ts.Check(s.forget(args[0]))
	}
	runParams(t, testscript.Params{
		Files: []string{script},
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"state": s.state, "forget": forget},
	}, func(e *testscript.Env) {
		for _, provider := range []string{"prov-one-alpha", "prov-two-alpha"} {
			name := strings.ToUpper(strings.Split(provider, "-")[1]) + "_DOWN"
			e.Setenv(name, "tde.providers."+provider+"."+s.down)
		}
		e.Setenv("PROVIDER", strings.ReplaceAll(s.archive, "$WORK", e.WorkDir))
		for name, text := range s.secrets {
			file := filepath.Join(e.WorkDir, "secrets", name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				e.T().Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				e.T().Fatal(err)
			}
		}
	})
}

// state lays out the recorded server with providers that are in the service.
func (s service) state(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "state STATE DIR", 2)
	fixture(ts, neg, []string{rotated, args[0], args[1]})
	dir := ts.MkAbs(args[1])
	name := filepath.Join(dir, "pgdata", "pg_tde", "1664_providers")
	records, err := os.ReadFile(name)
	ts.Check(err)
	providers, err := tde.ParseProviders(records, tde.Percona)
	ts.Check(err)
	var moved []byte
	for _, p := range providers {
		moved = append(moved, tdetest.Provider(p.ID, p.Name, s.options, s.kind)...)
	}
	ts.Check(os.WriteFile(name, moved, 0o600))
	ts.Check(os.RemoveAll(filepath.Join(dir, "keyrings")))
}

// recordedKeys are the principal keys of a recorded server by name, of all its
// states.
func recordedKeys(t *testing.T, scenario fixtures.Scenario) map[string][]byte {
	t.Helper()
	states, err := scenario.States()
	if err != nil {
		t.Fatal(err)
	}
	all := &secrets{forms: map[string]string{}, keys: map[string][]byte{}}
	for _, state := range states {
		files, err := scenario.StateFS(state)
		if err != nil {
			t.Fatal(err)
		}
		all.collect(files)
	}
	return maps.Clone(all.keys)
}

// onKMIP is a service of KMIP at a port of this host.
func onKMIP(t *testing.T, ca *kmiptest.Authority, port string) service {
	t.Helper()
	pair := ca.Client(t, "pg")
	s := service{
		archive: fmt.Sprintf("type = \"kmip\"\nhost = \"127.0.0.1\"\nport = \"%s\"\n", port) +
			"ca = \"$WORK/secrets/ca.pem\"\ncert = \"$WORK/secrets/cert.pem\"\nkey = \"$WORK/secrets/key.pem\"\n",
		options: `{"host" : "127.0.0.1", "port" : ` + port + `, "caPath" : "/srv/kms/ca.pem", "certPath" : "/srv/kms/cert.pem", "keyPath" : "/srv/kms/key.pem"}`,
		kind:    3,
		down:    "port=1",
		secrets: map[string]string{},
	}
	for name, from := range map[string]string{"ca.pem": ca.File, "cert.pem": pair.Cert, "key.pem": pair.Key} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		s.secrets[name] = string(b)
	}
	client := func() (*kmipclient.Client, error) {
		return kmipclient.Dial("127.0.0.1:"+port,
			kmipclient.WithRootCAFile(ca.File), kmipclient.WithClientCertFiles(pair.Cert, pair.Key), kmipclient.WithKmipVersions(kmip.V1_4))
	}
	s.put = func(name string, key []byte) error {
		c, err := client()
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Register().
			SymmetricKey(kmip.CryptographicAlgorithmAES, kmip.CryptographicUsageEncrypt|kmip.CryptographicUsageDecrypt, bytes.Clone(key)).
			WithAttribute(kmip.AttributeNameCryptographicAlgorithm, kmip.CryptographicAlgorithmAES).
			WithAttribute(kmip.AttributeNameCryptographicLength, int32(8*len(key))).
			WithName(name).Exec()
		return err
	}
	s.forget = func(name string) error {
		c, err := client()
		if err != nil {
			return err
		}
		defer c.Close()
		found, err := c.Locate().WithObjectType(kmip.ObjectTypeSymmetricKey).WithName(name).WithMaxItems(2).Exec()
		if err == nil && len(found.UniqueIdentifier) != 1 {
			err = fmt.Errorf("%d keys of that name", len(found.UniqueIdentifier))
		}
		if err == nil {
			_, err = c.Destroy(found.UniqueIdentifier[0]).Exec()
		}
		return err
	}
	return s
}

func TestServiceOfCosmian(t *testing.T) {
	runServices(t, func(t *testing.T) service {
		ca := kmiptest.NewAuthority(t)
		return onKMIP(t, ca, kmiptest.StartCosmian(t, ca.ServerConfig(t, ca.Server(t))).Port)
	})
}
