//go:build integration

package azure

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"walarchive/storage"
	"walarchive/storage/storagetest"
	"walarchive/storage/storagetest/servers"
)

func TestConformance(t *testing.T) {
	t.Run("azurite", func(t *testing.T) {
		server := servers.StartAzurite(t, nil)
		storagetest.TestBucket(t, func(t *testing.T) storage.Bucket { return open(t, server) })
	})
}

// The other ways to open an account, all over TLS.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	c := servers.NewCertificates(t)
	server := servers.StartAzurite(t, &c)
	t.Run("conformance", func(t *testing.T) {
		storagetest.TestBucket(t, func(t *testing.T) storage.Bucket { return open(t, server) })
	})
	t.Run("shared access signature", func(t *testing.T) { testSAS(t, server) })
	t.Run("connection string", func(t *testing.T) { testConnectionString(t, server) })
	t.Run("blocks race", func(t *testing.T) { testBlocksRace(t, open(t, server)) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, server) })
	t.Run("a private authority is not trusted by itself", func(t *testing.T) {
		o := options(t, server)
		o.CAFile = ""
		wantRefusal(t, statOf(t, o), storage.ErrUnavailable, "CA file")
	})
}

func options(t *testing.T, s *servers.Azure) Options {
	return Options{Container: s.NewContainer(t), Account: s.Account, Endpoint: s.Endpoint, KeyFile: s.KeyFile, CAFile: s.CA}
}

// open opens a new container of a server. Lists come in pages of 7 objects,
// and what is larger than a MiB in blocks.
func open(t *testing.T, s *servers.Azure) *Bucket {
	t.Helper()
	o := options(t, s)
	o.PartSize = minPart
	b := newBucket(t, o)
	b.page = 7
	return b
}

func testSAS(t *testing.T, s *servers.Azure) {
	b := open(t, s)
	o := b.o
	o.KeyFile = ""
	o.SASFile = signatureFile(t, b, time.Now().Add(time.Hour), sas.ContainerPermissions{Read: true, List: true, Create: true})
	signed := newBucket(t, o)
	if err := signed.Put(t.Context(), "a/b", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	blocks := &unsized{bytes.NewReader(make([]byte, 3<<20))}
	wantRefusal(t, signed.Put(t.Context(), "b/c", blocks), storage.ErrPermission, "credentials need")
	got, err := storage.ReadAll(t.Context(), signed, "a/b", 100)
	if err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	wantRefusal(t, signed.Put(t.Context(), "a/b", strings.NewReader("other")), storage.ErrExist, "")
	wantRefusal(t, signed.Delete(t.Context(), "a/b"), storage.ErrPermission, "credentials need")
	for info, err := range signed.List(t.Context(), "a/", "") {
		if err != nil || info.Name != "a/b" {
			t.Errorf("list: %v, %v", info, err)
		}
	}
	o.SASFile = signatureFile(t, b, time.Now().Add(-time.Minute), sas.ContainerPermissions{Read: true})
	wantRefusal(t, statOf(t, o), storage.ErrPermission, "expired at")
}

// signatureFile holds a shared access signature for the container of b.
func signatureFile(t *testing.T, b *Bucket, expires time.Time, p sas.ContainerPermissions) string {
	t.Helper()
	start := time.Now().Add(-time.Hour)
	values := sas.BlobSignatureValues{
		Protocol: sas.ProtocolHTTPS, StartTime: start, ExpiryTime: expires,
		ContainerName: b.o.Container, Permissions: p.String(),
	}
	signed, err := values.SignWithSharedKey(sharedKey(t, b.o))
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "?"+signed.Encode()+"\n")
}

func testConnectionString(t *testing.T, s *servers.Azure) {
	key, err := os.ReadFile(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("DefaultEndpointsProtocol=https;AccountName=%s;AccountKey=%s;BlobEndpoint=%s;", s.Account, strings.TrimSpace(string(key)), s.Endpoint)
	b := newBucket(t, Options{Container: s.NewContainer(t), ConnectionStringFile: writeFile(t, text), CAFile: s.CA})
	if err := b.Put(t.Context(), "name", strings.NewReader("content")); err != nil {
		t.Error(err)
	}
}

// Two that send blocks under one name at once: the object is one's, whole.
func testBlocksRace(t *testing.T, b *Bucket) {
	const writers = 4
	errs := make(chan error, writers)
	for i := range writers {
		go func() {
			body := bytes.NewReader(bytes.Repeat([]byte{byte('a' + i)}, 5<<20))
			errs <- b.Put(t.Context(), "raced", &unsized{body})
		}()
	}
	won := 0
	for range writers {
		if err := <-errs; err == nil {
			won++
		} else if !errors.Is(err, storage.ErrExist) {
			t.Errorf("a loser's put: %v", err)
		}
	}
	data, err := storage.ReadAll(t.Context(), b, "raced", 5<<20)
	if err != nil || won != 1 || len(data) != 5<<20 || !bytes.Equal(data, bytes.Repeat(data[:1], len(data))) {
		t.Errorf("%d won; the object has %d bytes, error %v", won, len(data), err)
	}
}

func testRefusals(t *testing.T, s *servers.Azure) {
	o := options(t, s)
	o.Container = "no-such-container"
	b := newBucket(t, o)
	wantRefusal(t, b.Put(t.Context(), "name", strings.NewReader("x")), storage.ErrInvalid, "there is no container no-such-container")
	wantRefusal(t, statOf(t, o), storage.ErrInvalid, "there is no container")
	_, err := b.Get(t.Context(), "name", 0, -1)
	wantRefusal(t, err, storage.ErrInvalid, "there is no container")
	wantRefusal(t, b.Delete(t.Context(), "name"), storage.ErrInvalid, "there is no container")
	for _, err := range b.List(t.Context(), "", "") {
		wantRefusal(t, err, storage.ErrInvalid, "there is no container")
	}
	o = options(t, s)
	o.KeyFile = writeFile(t, "d3Jvbmcga2V5")
	wantRefusal(t, statOf(t, o), storage.ErrPermission, "")
}

func statOf(t *testing.T, o Options) error {
	t.Helper()
	_, err := newBucket(t, o).Stat(t.Context(), "name")
	return err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	server := servers.StartAzurite(t, nil)
	o := options(t, server)
	direct, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	servers.TestFaults(t, direct.Host, func(t *testing.T, addr string) storage.Bucket {
		o.Endpoint = "http://" + addr + "/" + server.Account
		return newBucket(t, o)
	})
}

func TestUploads(t *testing.T) {
	t.Parallel()
	server := servers.StartAzurite(t, nil)
	o := options(t, server)
	direct, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	part := func(comp string) func(r *http.Request) bool {
		return func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.Query().Get("comp") == comp }
	}
	servers.TestUploads(t, "http://"+direct.Host, servers.Uploads{Piece: part("block"), Last: part("blocklist")},
		func(t *testing.T, base string) storage.Bucket {
			o.Endpoint, o.PartSize = base+"/"+server.Account, 4<<20
			return newBucket(t, o)
		})
}
