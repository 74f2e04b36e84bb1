//go:build integration

package clitest

import (
	"encoding/base64"
	"net/http"
	"testing"

	"walarchive/keys/keystest/servers"
)

func TestServiceOfPyKMIP(t *testing.T) {
	runServices(t, func(t *testing.T) service {
		s := servers.StartPyKMIP(t)
		return onKMIP(t, s.CA, s.Port)
	})
}

func TestServiceOfOpenBao(t *testing.T) {
	runServices(t, func(t *testing.T) service { return onVault(t, servers.StartOpenBao(t)) })
}

func TestServiceOfVault(t *testing.T) {
	runServices(t, func(t *testing.T) service { return onVault(t, servers.StartVault(t)) })
}

// onVault has the server's keys in an engine for keys and values, as pg_tde does,
// and the archive's in one of Transit.
func onVault(t *testing.T, s *servers.Vault) service {
	t.Helper()
	s.Mount(t, "", "transit", "transit")
	s.Mount(t, "", "tde", "kv")
	return service{
		archive: "type = \"transit\"\nurl = \"" + s.URL + "\"\nmount = \"transit\"\n" +
			"ca = \"$WORK/secrets/ca.pem\"\ntoken_file = \"$WORK/secrets/token\"\n",
		options: `{"url" : "` + s.URL + `", "mountPath" : "tde", "tokenPath" : "/srv/kms/token", "caPath" : "/srv/kms/ca.pem"}`,
		kind:    2,
		down:    "url=https://127.0.0.1:1",
		secrets: map[string]string{"token": s.Token + "\n", "ca.pem": readText(t, s.CA)},
		put: func(name string, key []byte) error {
			s.Do(t, "", http.MethodPost, "tde/data/"+name, map[string]any{
				"data": map[string]string{"key": base64.StdEncoding.EncodeToString(key)},
			})
			return nil
		},
		forget: func(name string) error {
			s.Do(t, "", http.MethodDelete, "tde/metadata/"+name, nil)
			return nil
		},
	}
}
