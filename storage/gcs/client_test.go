package gcs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/storage"
)

// serveTLS serves h, and gives the file with its certificate.
func serveTLS(t *testing.T, h http.HandlerFunc) (url, ca string) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.URL, ca
}

// useAccount makes a service account the default credentials.
func useAccount(t *testing.T, tokens string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "wal@test.invalid", "private_key_id": "1", "token_uri": tokens,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		token  string
		kind   error // nil: the call succeeds
		hint   string
	}{
		{"accepted", 200, `{"access_token":"secret-token","token_type":"Bearer","expires_in":3600}`, nil, ""},
		{"refused", 400, `{"error":"invalid_grant","error_description":"account not found"}`, storage.ErrPermission, "GOOGLE_APPLICATION_CREDENTIALS"},
		{"a wrong clock", 400, `{"error":"invalid_grant","error_description":"Invalid JWT: check your iat and exp values"}`, storage.ErrPermission, "clock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var authorization string
			url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					page(c.status, "application/json", c.token)(w, r)
					return
				}
				authorization = r.Header.Get("Authorization")
				page(200, "application/json", objects(""))(w, r)
			})
			useAccount(t, url+"/token")
			b, err := New(t.Context(), Options{Bucket: "b", Endpoint: url, CAFile: ca})
			if err != nil {
				t.Fatal(err)
			}
			err = drain(t, b)
			if c.kind == nil && (err != nil || authorization != "Bearer secret-token") {
				t.Errorf("got %v, authorization %q", err, authorization)
			}
			if c.kind != nil && (!errors.Is(err, c.kind) || !strings.Contains(hintOf(err), c.hint) || authorization != "") {
				t.Errorf("got %v, hint %q; want %v, %q", err, hintOf(err), c.kind, c.hint)
			}
			if strings.Contains(fmt.Sprint(err), "PRIVATE") {
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
}

func TestMissingCredentials(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	_, err := New(t.Context(), Options{Bucket: "b"})
	if err == nil || errors.Is(err, storage.ErrNotExist) || !strings.Contains(hintOf(err), "GOOGLE_APPLICATION_CREDENTIALS") {
		t.Errorf("got %v, hint %q", err, hintOf(err))
	}
}

// The environment of a test run must not lead an archive to an emulator.
func TestEmulatorVariableIsIgnored(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "http://emulator.invalid")
	b, s := stubbed(t, Options{}, page(200, "application/json", objects("")))
	if err := drain(t, b); err != nil || len(s.seen()) != 1 {
		t.Errorf("got %v after %d requests to the endpoint", err, len(s.seen()))
	}
}

func TestOptions(t *testing.T) {
	pemless := filepath.Join(t.TempDir(), "ca")
	if err := os.WriteFile(pemless, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no bucket", Options{Anonymous: true}, "no bucket"},
		{"credentials over http", Options{Bucket: "b", Endpoint: "http://127.0.0.1:1"}, "not https"},
		{"no URL", Options{Bucket: "b", Endpoint: "storage.googleapis.com"}, "no URL of a server"},
		{"a path", Options{Bucket: "b", Endpoint: "https://host/storage/v1"}, "no URL of a server"},
		{"a password", Options{Bucket: "b", Endpoint: "https://me:hunter2@host"}, "user information"},
		{"an odd part", Options{Bucket: "b", PartSize: 1<<20 + 1}, "part size"},
		{"a huge part", Options{Bucket: "b", PartSize: 2 << 30}, "part size"},
		{"a mode of S3", Options{Bucket: "b", RetainMode: "COMPLIANCE", RetainFor: 1}, "retention mode"},
		{"a mode and no time", Options{Bucket: "b", RetainMode: "Locked"}, "both or neither"},
		{"a time and no mode", Options{Bucket: "b", RetainFor: 1}, "both or neither"},
		{"a negative limit", Options{Bucket: "b", ConnectTimeout: -1}, "negative"},
		{"no CA file", Options{Bucket: "b", Anonymous: true, CAFile: pemless + "x"}, "CA file"},
		{"no CA in the file", Options{Bucket: "b", Anonymous: true, CAFile: pemless}, "no certificate"},
	} {
		_, err := New(t.Context(), c.o)
		if !errors.Is(err, storage.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrInvalid with %q", c.name, err, c.want)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the error has the password: %v", c.name, err)
		}
	}
}
