//go:build integration

package vault

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/keystest"
	"walarchive/keys/keystest/servers"
)

// rooted are options for root.
func rooted(s *servers.Vault, mount string) Options {
	return Options{URL: s.URL, CA: s.CA, Mount: mount, Token: s.Token}
}

// policy is one of those that the documentation gives, as it stands there.
func policy(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/keys-vault.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```hcl\n# " + name + "\n(.*?)```").FindSubmatch(page)
	if m == nil {
		t.Fatalf("the documentation has no policy %s", name)
	}
	return string(m[1])
}

func putKey(t *testing.T, s *servers.Vault, namespace, mount, name string, key []byte) {
	t.Helper()
	s.Do(t, namespace, http.MethodPost, mount+"/data/"+name, map[string]any{
		"data": map[string]string{"key": base64.StdEncoding.EncodeToString(key)},
	})
}

// serverTest is something that must hold with a real server.
type serverTest struct {
	name string
	test func(*testing.T, *servers.Vault)
}

func TestOpenBao(t *testing.T) {
	testServer(t, servers.StartOpenBao(t), serverTest{"namespaces", testNamespaces}, serverTest{"Kubernetes", testKubernetes}, serverTest{"XChaCha20 in Transit", testXChaCha})
}

func TestVault(t *testing.T) { testServer(t, servers.StartVault(t)) }

// testServer is what all servers must pass; more is what only this one has.
func testServer(t *testing.T, s *servers.Vault, more ...serverTest) {
	mounts := 0
	mount := func(t *testing.T, kind string) string {
		mounts++
		path := fmt.Sprintf("%s%d", kind, mounts)
		s.Mount(t, "", path, kind)
		return path
	}
	s.Do(t, "", http.MethodDelete, "sys/mounts/secret", nil) // the one it may begin with
	s.Mount(t, "", "secret", "kv")
	s.Mount(t, "", "transit", "transit")

	t.Run("KV", func(t *testing.T) {
		keystest.TestProvider(t, func(t *testing.T) (keys.Provider, func(string, []byte)) {
			path := mount(t, "kv")
			return newKV(t, rooted(s, path)), func(name string, key []byte) { putKey(t, s, "", path, name, key) }
		})
	})
	t.Run("Transit", func(t *testing.T) {
		keystest.TestWrapper(t, func(t *testing.T) keys.Wrapper { return newTransitProvider(t, rooted(s, mount(t, "transit"))) })
	})
	all := append([]serverTest{
		{"secrets and what is left of them", testSecrets},
		{"policies for KV", testKVPolicies},
		{"policies for Transit", testTransitPolicies},
		{"versions of a Transit key", testTransitVersions},
		{"a chain in Transit", testTransitChain},
		{"a token that expires", testExpiry},
		{"AppRole", testAppRole},
		{"certificates", testCertificates},
	}, more...)
	for _, tt := range append(all, serverTest{"sealed and unsealed", testSeal}, serverTest{"gone", testGone}) {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, s) })
	}
}

func testSecrets(t *testing.T, s *servers.Vault) {
	p := newKV(t, rooted(s, "secret"))
	putKey(t, s, "", "secret", "dir/k", key16)
	putKey(t, s, "", "secret", "dir/k", bytes.Repeat([]byte{7}, 32))
	if key, err := p.Key(t.Context(), "dir/k"); err != nil || !bytes.Equal(key.Bytes(), bytes.Repeat([]byte{7}, 32)) {
		t.Errorf("the newest version: got another key, or error %v", err)
	}
	s.Do(t, "", http.MethodDelete, "secret/data/dir/k", nil)
	_, err := p.Key(t.Context(), "dir/k")
	checkError(t, err, keys.ErrNoKey, "its newest version is deleted")
	_, err = p.Create(t.Context(), "dir/k")
	checkError(t, err, keys.ErrKeyExists, "")
	s.Do(t, "", http.MethodPost, "secret/data/empty", map[string]any{"data": map[string]string{}})
	_, err = p.Key(t.Context(), "empty")
	checkError(t, err, keys.ErrBadKey, `field "key"`)
	_, err = newKV(t, rooted(s, "elsewhere")).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "no handler for route")
	_, err = newKV(t, rooted(s, "transit")).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "404")
	o := rooted(s, "secret/")
	o.URL += "//"
	putKey(t, s, "", "secret", "k", key16)
	if _, err := newKV(t, o).Key(t.Context(), "k"); err != nil {
		t.Errorf("with slashes, which the service redirects: %v", err)
	}
}

// as is a provider's options for a token of the documentation's policy.
func as(t *testing.T, s *servers.Vault, mount, name string) Options {
	t.Helper()
	o := rooted(s, mount)
	o.Token = s.TokenFor(t, policy(t, name), "10m")
	return o
}

func testKVPolicies(t *testing.T, s *servers.Vault) {
	use, create := newKV(t, as(t, s, "secret", "kv-use")), newKV(t, as(t, s, "secret", "kv-create"))
	_, err := use.Create(t.Context(), "wal-1")
	checkError(t, err, fs.ErrPermission, "permission denied")
	made, err := create.Create(t.Context(), "wal-1")
	if err != nil {
		t.Fatal(err)
	}
	if key, err := use.Key(t.Context(), "wal-1"); err != nil || !key.Equal(made) {
		t.Errorf("got another key, or error %v", err)
	}
	_, err = use.Key(t.Context(), "wal-2")
	checkError(t, err, keys.ErrNoKey, "")
	_, err = use.Key(t.Context(), "other")
	checkError(t, err, fs.ErrPermission, "")
	// Without "update" the service refuses before it looks at check-and-set.
	if _, err := create.Create(t.Context(), "wal-1"); err == nil {
		t.Error("a key was overwritten")
	}
	s.Mount(t, "", "tde", "kv")
	putKey(t, s, "", "tde", "server", key16)
	if _, err := newKV(t, as(t, s, "tde", "pg_tde-read")).Key(t.Context(), "server"); err != nil {
		t.Error(err)
	}
}

func testTransitPolicies(t *testing.T, s *servers.Vault) {
	use := newTransitProvider(t, as(t, s, "transit", "transit-use"))
	wrap := newTransitProvider(t, as(t, s, "transit", "transit-wrap"))
	create := newTransitProvider(t, as(t, s, "transit", "transit-create"))
	secret, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, err = wrap.Wrap(t.Context(), "wal-1", secret)
	checkError(t, err, keys.ErrNoKey, "")
	checkError(t, wrap.Make(t.Context(), "wal-1"), fs.ErrPermission, "")
	if err := create.Make(t.Context(), "wal-1"); err != nil {
		t.Fatal(err)
	}
	checkError(t, create.Make(t.Context(), "wal-1"), keys.ErrKeyExists, "")
	box, err := wrap.Wrap(t.Context(), "wal-1", secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := use.Unwrap(t.Context(), "wal-1", box); err != nil || !got.Equal(secret) {
		t.Errorf("got another secret, or error %v", err)
	}
	_, err = use.Wrap(t.Context(), "wal-1", secret)
	checkError(t, err, fs.ErrPermission, "")
	_, err = use.Unwrap(t.Context(), "other", box)
	checkError(t, err, fs.ErrPermission, "")
}

func testTransitVersions(t *testing.T, s *servers.Vault) {
	p := newTransitProvider(t, rooted(s, "transit"))
	secret, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Make(t.Context(), "v"); err != nil {
		t.Fatal(err)
	}
	old, err := p.Wrap(t.Context(), "v", secret)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, "", http.MethodPost, "transit/keys/v/rotate", nil)
	box, err := p.Wrap(t.Context(), "v", secret)
	if err != nil || !bytes.HasPrefix(box, []byte("vault:v2:")) {
		t.Errorf("not wrapped by version 2: %v", err)
	}
	for _, b := range [][]byte{old, box} {
		if got, err := p.Unwrap(t.Context(), "v", b); err != nil || !got.Equal(secret) {
			t.Errorf("%.9s: got another secret, or error %v", b, err)
		}
	}
	if got, err := p.Rewrap(t.Context(), "v", old); err != nil || !bytes.HasPrefix(got, []byte("vault:v2:")) {
		t.Errorf("version 1 renewed: %.9s, %v, want version 2", got, err)
	}
	if got, err := p.Rewrap(t.Context(), "v", box); err != nil || !bytes.Equal(got, box) {
		t.Errorf("version 2 renewed: %v, want it as it was", err)
	}
	s.Do(t, "", http.MethodPost, "transit/keys/v/config", map[string]int{"min_decryption_version": 2})
	_, err = p.Unwrap(t.Context(), "v", old)
	checkError(t, err, fs.ErrPermission, "too old")
	for _, kind := range []string{"rsa-2048", "ed25519", "aes128-gcm96"} {
		s.Do(t, "", http.MethodPost, "transit/keys/"+kind, map[string]string{"type": kind})
		_, err := p.Wrap(t.Context(), kind, secret)
		checkError(t, err, keys.ErrBadKey, kind)
	}
	wrapsBy(t, s, p, "chacha20-poly1305")
}

// OpenBao has it, Vault has not.
func testXChaCha(t *testing.T, s *servers.Vault) {
	wrapsBy(t, s, newTransitProvider(t, rooted(s, "transit")), "xchacha20-poly1305")
}

// wrapsBy wraps and unwraps with a key of that type.
func wrapsBy(t *testing.T, s *servers.Vault, p *Transit, kind string) {
	t.Helper()
	secret, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, "", http.MethodPost, "transit/keys/"+kind, map[string]string{"type": kind})
	box, err := p.Wrap(t.Context(), kind, secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Unwrap(t.Context(), kind, box); err != nil || !got.Equal(secret) {
		t.Errorf("%s: got another secret, or error %v", kind, err)
	}
}

// An archive's chain whose principal keys never leave the service: begun,
// rotated, and read by a host that may only decrypt.
func testTransitChain(t *testing.T, s *servers.Vault) {
	ring := func(name string) *keys.Ring {
		return keys.NewRing(map[string]keys.Provider{"bao": newTransitProvider(t, as(t, s, "transit", name))})
	}
	owner := ring("transit-create")
	one, two := keys.Ref{Provider: "bao", Key: "wal-one"}, keys.Ref{Provider: "bao", Key: "wal-two"}
	for _, ref := range []keys.Ref{one, two} {
		if err := owner.Create(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	stamp := keys.Stamp{Time: time.Now(), Host: "db1"}
	first, err := keys.StartChain(t.Context(), owner, rand.Reader, one, stamp, json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := keys.ReadChain(t.Context(), owner, [][]byte{first}, keys.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Rotate(t.Context(), rand.Reader, two, stamp)
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.ReadChain(t.Context(), ring("transit-use"), [][]byte{first, second}, keys.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Epochs()); n != 2 || got.Open().Wraps()[0].Kind != crypt.WrapTransit {
		t.Errorf("%d epochs, the open one wrapped by %s", n, got.Open().Wraps()[0].Kind)
	}
}

func testNamespaces(t *testing.T, s *servers.Vault) {
	s.Do(t, "", http.MethodPost, "sys/namespaces/team", nil)
	s.Mount(t, "team", "inner", "kv")
	putKey(t, s, "team", "inner", "k", key16)
	o := rooted(s, "inner")
	_, err := newKV(t, o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "no handler")
	o.Namespace = "team"
	if _, err := newKV(t, o).Key(t.Context(), "k"); err != nil {
		t.Errorf("namespace in the header: %v", err)
	}
	o.Namespace = "nobody"
	_, err = newKV(t, o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "namespace not found")
	o.Namespace, o.Mount = "", "team/inner"
	if _, err := newKV(t, o).Key(t.Context(), "k"); err != nil {
		t.Errorf("namespace in the mount: %v", err)
	}
}

// until repeats a call until it fails as wanted: tokens expire when they like.
func until(t *testing.T, want error, call func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if errors.Is(call(), want) {
			return
		}
	}
	t.Errorf("never gave %v", want)
}

func testExpiry(t *testing.T, s *servers.Vault) {
	putKey(t, s, "", "secret", "wal-x", key16)
	o := rooted(s, "secret")
	o.Token, o.TokenFile = "", file(t, s.TokenFor(t, policy(t, "kv-use"), "1s"))
	p := newKV(t, o)
	get := func() error {
		_, err := p.Key(t.Context(), "wal-x")
		return err
	}
	until(t, fs.ErrPermission, get)
	if err := os.WriteFile(o.TokenFile, []byte(s.TokenFor(t, policy(t, "kv-use"), "10m")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := get(); err != nil {
		t.Errorf("with a new token in the file: %v", err)
	}
}

// named stores the policy kv-use for roles.
func named(t *testing.T, s *servers.Vault) string {
	t.Helper()
	s.Do(t, "", http.MethodPut, "sys/policies/acl/kv-use", map[string]string{"policy": policy(t, "kv-use")})
	putKey(t, s, "", "secret", "wal-x", key16)
	return "kv-use"
}

func testAppRole(t *testing.T, s *servers.Vault) {
	s.Do(t, "", http.MethodPost, "sys/auth/approle", map[string]string{"type": "approle"})
	s.Do(t, "", http.MethodPost, "auth/approle/role/db", map[string]any{
		"token_policies": named(t, s), "token_ttl": "2s", "token_max_ttl": "3s",
	})
	id := s.Do(t, "", http.MethodGet, "auth/approle/role/db/role-id", nil)["role_id"].(string)
	secret := s.Do(t, "", http.MethodPost, "auth/approle/role/db/secret-id", nil)["secret_id"].(string)
	o := rooted(s, "secret")
	o.Token, o.Auth, o.RoleID, o.SecretIDFile = "", AuthAppRole, id, file(t, secret+"\n")
	p := newKV(t, o)
	tokens := map[string]bool{}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if _, err := p.Key(t.Context(), "wal-x"); err != nil {
			t.Fatalf("after %d tokens: %v", len(tokens), err)
		}
		tokens[p.c.tokens.(*login).token] = true
	}
	if n := len(tokens); n < 2 || n > 4 {
		t.Errorf("%d logins in 5 s with tokens of 2 s that can be renewed to 3 s", n)
	}
	o.SecretIDFile = file(t, "planted-secret-id")
	_, err := newKV(t, o).Key(t.Context(), "wal-x")
	checkError(t, err, fs.ErrPermission, "invalid role or secret ID")
}

// testKubernetes has a cluster of one answer: it takes the token of one
// account. Everything else is the service's own.
func testKubernetes(t *testing.T, s *servers.Vault) {
	cluster := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"authenticated":%v,`+
			`"user":{"username":"system:serviceaccount:pg:db","uid":"u1","groups":["system:serviceaccounts"]}}}`,
			bytes.Contains(body, []byte(jwt("db"))))
	}))
	t.Cleanup(cluster.Close)
	ca, err := os.ReadFile(caFile(t, cluster))
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, "", http.MethodPost, "sys/auth/kubernetes", map[string]string{"type": "kubernetes"})
	s.Do(t, "", http.MethodPost, "auth/kubernetes/config", map[string]any{
		"kubernetes_host": cluster.URL, "kubernetes_ca_cert": string(ca), "token_reviewer_jwt": jwt("reviewer"), "disable_local_ca_jwt": true, "disable_iss_validation": true,
	})
	s.Do(t, "", http.MethodPost, "auth/kubernetes/role/db", map[string]any{
		"bound_service_account_names": "db", "bound_service_account_namespaces": "pg", "token_policies": named(t, s),
	})
	o := rooted(s, "secret")
	o.Token, o.Auth, o.Role, o.JWTFile = "", AuthKubernetes, "db", file(t, jwt("db"))
	if _, err := newKV(t, o).Key(t.Context(), "wal-x"); err != nil {
		t.Error(err)
	}
	o.JWTFile = file(t, jwt("stranger"))
	_, err = newKV(t, o).Key(t.Context(), "wal-x")
	checkError(t, err, fs.ErrPermission, "log in by kubernetes")
}

// jwt looks like the token of a service account; nobody checks its signature.
func jwt(account string) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	hour := time.Now().Truncate(time.Hour).Unix() // the same token all through the test
	claims := map[string]any{
		"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:pg:" + account,
		"iat": hour - 3600, "nbf": hour - 3600, "exp": hour + 3*3600,
		"kubernetes.io": map[string]any{"namespace": "pg", "serviceaccount": map[string]string{"name": account, "uid": "u1"}},
	}
	return part(map[string]string{"alg": "RS256"}) + "." + part(claims) + "." + base64.RawURLEncoding.EncodeToString([]byte("signature"))
}

func testCertificates(t *testing.T, s *servers.Vault) {
	cert, key := clientCertificate(t)
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, "", http.MethodPost, "sys/auth/cert", map[string]string{"type": "cert"})
	s.Do(t, "", http.MethodPost, "auth/cert/certs/db", map[string]string{"certificate": string(text), "token_policies": named(t, s)})
	o := rooted(s, "secret")
	o.Token, o.Auth, o.Cert, o.Key = "", AuthCert, cert, key
	if _, err := newKV(t, o).Key(t.Context(), "wal-x"); err != nil {
		t.Error(err)
	}
	o.Cert, o.Key = clientCertificate(t)
	_, err = newKV(t, o).Key(t.Context(), "wal-x")
	checkError(t, err, fs.ErrPermission, "log in by cert")
}

// clientCertificate makes a self-signed one.
func clientCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "db"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func testSeal(t *testing.T, s *servers.Vault) {
	putKey(t, s, "", "secret", "k", key16)
	p := newKV(t, rooted(s, "secret"))
	s.Seal(t)
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "sealed")
	_, err = newTransitProvider(t, rooted(s, "transit")).Unwrap(t.Context(), "v", []byte(box60))
	checkError(t, err, keys.ErrUnavailable, "sealed")
	s.Unseal(t)
	if _, err := p.Key(t.Context(), "k"); err != nil {
		t.Errorf("unsealed again: %v", err)
	}
}

func testGone(t *testing.T, s *servers.Vault) {
	s.Stop()
	_, err := newKV(t, rooted(s, "secret")).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "connection refused")
}
