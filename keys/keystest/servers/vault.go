//go:build integration

package servers

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"walarchive/keys/keystest/kmiptest"
)

// Vault is a server over TLS that keeps everything in memory: HashiCorp's, or
// OpenBao, which came of it.
type Vault struct {
	*Process
	URL   string
	CA    string // file
	Token string // may do everything

	client    *http.Client
	unsealKey *regexp.Regexp // finds it in the log
}

// StartOpenBao starts a server, unsealed and without engines of use.
func StartOpenBao(t testing.TB) *Vault {
	t.Helper()
	dir, addr := t.TempDir(), FreeAddr(t)
	s := &Vault{
		URL: "https://" + addr, CA: filepath.Join(dir, "vault-ca.pem"), Token: "root-of-test",
		unsealKey: regexp.MustCompile(`Unseal Key: (\S+)`),
	}
	cmd := exec.Command(Program(t, "openbao"), "server", "-dev", "-dev-tls", "-dev-tls-cert-dir="+dir,
		"-dev-root-token-id="+s.Token, "-dev-no-store-token", "-dev-listen-address="+addr)
	cmd.Env = []string{"HOME=" + dir, "PATH=/bin:/usr/bin"}
	s.Process = Start(t, cmd, s.ready)
	return s
}

var rootToken = regexp.MustCompile(`"root_token":"([^"]+)"`)

// StartVault starts HashiCorp's server, in the small frame of
// cmd/internal/testenv/servers/vault: without namespaces, which its open
// edition has not, and without logins of Kubernetes.
func StartVault(t testing.TB) *Vault {
	t.Helper()
	ca := kmiptest.NewAuthority(t)
	pair, addr := ca.Server(t), FreeAddr(t)
	s := &Vault{URL: "https://" + addr, CA: ca.File, unsealKey: regexp.MustCompile(`"unseal_key":"([^"]+)"`)}
	cmd := exec.Command(Program(t, "vault"), "-addr", addr, "-cert", pair.Cert, "-key", pair.Key)
	s.Process = Start(t, cmd, func() error { return nil })
	err := s.await(func() error {
		said := rootToken.FindStringSubmatch(s.Log(t))
		if said == nil {
			return errors.New("it has said nothing yet")
		}
		s.Token = said[1]
		return s.ready()
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ready reports whether the server does what it is asked, as root.
func (s *Vault) ready() error {
	ca, err := os.ReadFile(s.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return errors.New("no CA yet")
	}
	s.client = &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	_, err = s.call("", http.MethodGet, "auth/token/lookup-self", nil)
	return err
}

// Do has root do something that must succeed, in a namespace or in none, and
// gives the answer's data, or auth where it has that.
func (s *Vault) Do(t testing.TB, namespace, method, path string, body any) map[string]any {
	t.Helper()
	data, err := s.call(namespace, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s *Vault) call(namespace, method, path string, body any) (map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(method, s.URL+"/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Vault-Token", s.Token)
	r.Header.Set("X-Vault-Namespace", namespace)
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	var answer struct{ Data, Auth map[string]any }
	if len(b) > 0 {
		err = json.Unmarshal(b, &answer)
	}
	if answer.Auth != nil {
		return answer.Auth, err
	}
	return answer.Data, err
}

// Mount mounts an engine and waits until it works: one of key and value,
// version 2, takes a moment to set itself up.
func (s *Vault) Mount(t testing.TB, namespace, path, kind string) {
	t.Helper()
	body := map[string]any{"type": kind}
	if kind == "kv" {
		body["options"] = map[string]string{"version": "2"}
	}
	s.Do(t, namespace, http.MethodPost, "sys/mounts/"+path, body)
	if kind != "kv" {
		return
	}
	err := s.await(func() error {
		_, err := s.call(namespace, http.MethodPost, path+"/data/probe", map[string]any{"data": map[string]string{}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TokenFor makes a token that may do what the policy says, and no more.
func (s *Vault) TokenFor(t testing.TB, policy, ttl string) string {
	t.Helper()
	name := fmt.Sprintf("policy-%d", time.Now().UnixNano())
	s.Do(t, "", http.MethodPut, "sys/policies/acl/"+name, map[string]string{"policy": policy})
	auth := s.Do(t, "", http.MethodPost, "auth/token/create", map[string]any{
		"policies": []string{name}, "no_default_policy": true, "ttl": ttl,
	})
	return auth["client_token"].(string)
}

// Seal seals the server. Unseal opens it again.
func (s *Vault) Seal(t testing.TB) {
	t.Helper()
	s.Do(t, "", http.MethodPut, "sys/seal", nil)
}

// Unseal undoes Seal.
func (s *Vault) Unseal(t testing.TB) {
	t.Helper()
	key := s.unsealKey.FindStringSubmatch(s.Log(t))
	if key == nil {
		t.Fatal("the server has not said how to unseal it")
	}
	s.Do(t, "", http.MethodPut, "sys/unseal", map[string]string{"key": key[1]})
	if err := s.await(s.ready); err != nil {
		t.Fatal(err)
	}
}
