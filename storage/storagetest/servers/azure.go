//go:build integration

package servers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Azure is a started server of Azure's blob service with one account.
type Azure struct {
	Endpoint string // URL of the account
	Account  string
	KeyFile  string // holds the account's key
	CA       string // PEM file; empty: no TLS

	key        []byte
	client     *http.Client
	containers atomic.Int64
}

// StartAzurite starts azurite over a directory; with c over TLS. It is there
// for blobs only, and takes any version of the protocol: the SDK is ahead.
func StartAzurite(t testing.TB, c *Certificates) *Azure {
	t.Helper()
	a := newAzure(t, c)
	script := filepath.Join(program(t, "azurite"), "node_modules/azurite/dist/src/blob/main.js")
	dir := t.TempDir()
	addr := start(t, func(addr string) *exec.Cmd {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{
			script, "--blobHost", host, "--blobPort", port, "--location", dir, "--silent",
			"--skipApiVersionCheck", "--disableTelemetry", "--disableProductStyleUrl",
		}
		if c != nil {
			args = append(args, "--cert", c.Cert, "--key", c.Key)
		}
		cmd := exec.Command("node", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+a.Account+":"+base64.StdEncoding.EncodeToString(a.key))
		return cmd
	}, func(addr string) error { return answers(baseURL(addr, c)) })
	a.Endpoint = baseURL(addr, c) + "/" + a.Account
	return a
}

func newAzure(t testing.TB, c *Certificates) *Azure {
	t.Helper()
	a := &Azure{Account: "walarchivetest", key: make([]byte, 64), client: insecure()}
	_, _ = rand.Read(a.key) // never fails
	if c != nil {
		a.CA = c.CA
	}
	a.KeyFile = filepath.Join(t.TempDir(), "account.key")
	if err := os.WriteFile(a.KeyFile, []byte(base64.StdEncoding.EncodeToString(a.key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// NewContainer makes a container. A busy server closes connections now and
// then; the container may be there all the same.
func (a *Azure) NewContainer(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("container-%d", a.containers.Add(1))
	var err error
	for try := range 5 {
		time.Sleep(time.Duration(try) * 200 * time.Millisecond)
		var status int
		if status, err = a.makeContainer(t, name); err == nil && (status == http.StatusCreated || status == http.StatusConflict && try > 0) {
			return name
		}
		if err == nil {
			t.Fatalf("creating container %s: %s", name, http.StatusText(status))
		}
	}
	t.Fatal(err)
	return ""
}

// makeContainer asks for a container once.
func (a *Azure) makeContainer(t testing.TB, name string) (status int, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.Endpoint+"/"+name+"?restype=container", nil)
	if err != nil {
		return 0, err
	}
	a.sign(r, name)
	answer, err := a.client.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// sign signs the request for a new container with the account's key, in the
// scheme SharedKey: eleven headers that it has not, its own ones, the resource.
func (a *Azure) sign(r *http.Request, container string) {
	date, version := time.Now().UTC().Format(http.TimeFormat), "2021-08-06"
	text := "PUT" + strings.Repeat("\n", 12) +
		"x-ms-date:" + date + "\nx-ms-version:" + version + "\n" +
		"/" + a.Account + "/" + a.Account + "/" + container + "\nrestype:container"
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(text))
	r.Header.Set("X-Ms-Date", date)
	r.Header.Set("X-Ms-Version", version)
	r.Header.Set("Authorization", "SharedKey "+a.Account+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
