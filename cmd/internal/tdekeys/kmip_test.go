package tdekeys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ovh/kmip-go"

	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/keys/keystest/kmiptest"
)

// A server's own KMIP provider, as its providers file has it, with its
// certificates elsewhere on this host.
func TestFetchFromKMIP(t *testing.T) {
	ca := kmiptest.NewAuthority(t)
	service := kmiptest.StartCosmian(t, ca.ServerConfig(t, ca.Server(t)))
	service.Put("pg", "k", bytes.Repeat([]byte{5}, 16), kmip.StatePreActive)
	client := ca.Client(t, "pg")
	here := t.TempDir()
	for name, from := range map[string]string{"ca.pem": ca.File, "cert.pem": client.Cert, "key.pem": client.Key} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(here, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text := `{"host" : "127.0.0.1", "port" : ` + service.Port + `, "caPath" : "/srv/tde/ca.pem", "certPath" : "/srv/tde/cert.pem", "keyPath" : "/srv/tde/key.pem"}`
	for flavor, number := range map[tde.Flavor]uint32{tde.Percona: 3, tde.Fork: 2} {
		p := kmipProvider(t, flavor, number, text)
		fetch := Host{PGData: "/pgdata", Map: map[string]string{"/srv/tde": here}}.Fetch
		if key, err := fetch(t.Context(), p, "k"); err != nil || len(key.Bytes()) != 16 {
			t.Errorf("%v: got a key of %d bytes, error %v", flavor, len(key.Bytes()), err)
		}
		if _, err := fetch(t.Context(), p, "other"); !errors.Is(err, keys.ErrNoKey) {
			t.Errorf("%v: another key: %v, want ErrNoKey", flavor, err)
		}
		elsewhere := map[string]string{"host": "127.0.0.1", "port": service.Port}
		for option, file := range map[string]string{"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"} {
			elsewhere[option] = filepath.Join(here, file)
		}
		gone := kmipProvider(t, flavor, number, strings.Replace(text, service.Port, "1", 1))
		moved := Host{PGData: "/pgdata", Overrides: Overrides{"kms": elsewhere}}.Fetch
		if key, err := moved(t.Context(), gone, "k"); err != nil || len(key.Bytes()) != 16 {
			t.Errorf("%v: with every option overridden: a key of %d bytes, error %v", flavor, len(key.Bytes()), err)
		}
		_, err := Host{PGData: "/pgdata"}.Fetch(t.Context(), p, "k")
		var advice interface{ Hint() string }
		if !errors.Is(err, keys.ErrUnavailable) || !errors.As(err, &advice) || !strings.Contains(advice.Hint(), "tde.map") {
			t.Errorf("%v: files not mapped: %v, want ErrUnavailable with a hint at tde.map", flavor, err)
		}
	}
}

// kmipProvider is a providers file's one record, with the number that the
// flavor has for the type.
func kmipProvider(t *testing.T, f tde.Flavor, number uint32, text string) tde.Provider {
	t.Helper()
	b := make([]byte, 1160)
	binary.LittleEndian.PutUint32(b, 0xFFFFFFFF) // -1
	copy(b[4:], "kms")
	copy(b[132:], text)
	binary.LittleEndian.PutUint32(b[1156:], number)
	all, err := tde.ParseProviders(b, f)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d providers, error %v", len(all), err)
	}
	return all[0]
}
