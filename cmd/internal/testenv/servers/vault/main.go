// Command vault is the core of HashiCorp Vault with what the tests need of it:
// key-value and Transit engines, AppRole and certificate logins, in memory,
// over TLS. It prints one line of JSON when it answers, and runs until it is
// killed.
package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/cert"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/helper/testhelpers/corehelpers"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	addr := flag.String("addr", "", "address to listen at")
	certFile := flag.String("cert", "", "certificate of the server, PEM")
	keyFile := flag.String("key", "", "its key, PEM")
	flag.Parse()
	if err := run(*addr, *certFile, *keyFile); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

// started is what the first line of output says.
type started struct {
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

func run(addr, certFile, keyFile string) error {
	core, err := newCore(hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr}))
	if err != nil {
		return err
	}
	said, err := initialize(core)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil {
		return err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{MaxRequestSize: vaulthttp.DefaultMaxRequestSize},
	})
	config := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, NextProtos: []string{"h2", "http/1.1"}}
	return http.Serve(tls.NewListener(l, config), handler)
}

func newCore(log hclog.Logger) (*vault.Core, error) {
	memory, err := inmem.NewInmem(nil, log)
	if err != nil {
		return nil, err
	}
	return vault.NewCore(&vault.CoreConfig{
		Physical:           memory,
		StorageType:        "inmem",
		DisableMlock:       true,
		Logger:             log,
		BuiltinRegistry:    corehelpers.NewMockBuiltinRegistry(),
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory, "transit": transit.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory, "cert": cert.Factory},
	})
}

// initialize makes the core ready, with one unseal key.
func initialize(core *vault.Core) (*started, error) {
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: one, RecoveryConfig: one})
	if err != nil {
		return nil, err
	}
	if _, err := vault.TestCoreUnseal(core, vault.TestKeyCopy(made.SecretShares[0])); err != nil {
		return nil, err
	}
	return &started{made.RootToken, base64.StdEncoding.EncodeToString(made.SecretShares[0])}, nil
}
