//go:build integration

package kmip

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/keys"
	"walarchive/keys/keystest"
	"walarchive/keys/keystest/kmiptest"
	"walarchive/keys/keystest/servers"
)

// as are options for a user of the server.
func as(t *testing.T, s *servers.PyKMIP, user string) Options {
	t.Helper()
	return options(s.CA, s.CA.Client(t, user), s.Port)
}

func TestPyKMIP(t *testing.T) {
	s := servers.StartPyKMIP(t)
	users := 0
	t.Run("conformance", func(t *testing.T) {
		keystest.TestProvider(t, func(t *testing.T) (keys.Provider, func(string, []byte)) {
			users++ // whose keys are hidden from one another
			p := open(t, as(t, s, fmt.Sprintf("user-%d", users)))
			return p, func(name string, key []byte) { put(t, p, name, key) }
		})
	})
	for _, tt := range []struct {
		name string
		test func(*testing.T, *servers.PyKMIP)
	}{
		{"every version", testPyKMIPVersions},
		{"states", testPyKMIPStates},
		{"namesakes", testPyKMIPNamesakes},
		{"other users", testPyKMIPUsers},
		{"strangers", testPyKMIPStrangers},
		{"gone", testPyKMIPGone},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, s) })
	}
}

func testPyKMIPVersions(t *testing.T, s *servers.PyKMIP) {
	p := open(t, as(t, s, "versions"))
	do(t, p, func(s *session) error {
		if s.version != kmip.V1_4 {
			t.Errorf("agreed on %v", s.version)
		}
		return nil
	})
	for i, v := range versions() {
		p.versions = []kmip.ProtocolVersion{v}
		name := fmt.Sprintf("made-%d", i)
		made, err := p.Create(t.Context(), name)
		if err != nil {
			t.Errorf("%v: %v", v, err)
			continue
		}
		for _, v := range versions() {
			p.versions = []kmip.ProtocolVersion{v}
			if key, err := p.Key(t.Context(), name); err != nil || !key.Equal(made) {
				t.Errorf("%v: got another key, or error %v", v, err)
			}
		}
	}
}

// PyKMIP gives keys away in all states, so what a service says of those it
// keeps back is tested elsewhere; that it tells the state is tested here.
func testPyKMIPStates(t *testing.T, s *servers.PyKMIP) {
	p := open(t, as(t, s, "states"))
	id := put(t, p, "k", material)
	wantState(t, p, id, kmip.StatePreActive)
	do(t, p, func(s *session) error { return s.activate(id) })
	wantState(t, p, id, kmip.StateActive)
	do(t, p, func(s *session) error { return s.activate(id) }) // refused, but active it is
	do(t, p, func(s *session) error {
		_, err := ask[*payloads.RevokeResponsePayload](s, &payloads.RevokeRequestPayload{
			UniqueIdentifier: id, RevocationReason: kmip.RevocationReason{RevocationReasonCode: kmip.RevocationReasonCodeCessationOfOperation},
		})
		return err
	})
	wantState(t, p, id, kmip.StateDeactivated)
	if _, err := p.Key(t.Context(), "k"); err != nil {
		t.Errorf("a deactivated key that is handed out: %v", err)
	}
	do(t, p, func(s *session) error {
		_, err := ask[*payloads.DestroyResponsePayload](s, &payloads.DestroyRequestPayload{UniqueIdentifier: id})
		return err
	})
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "")
}

func wantState(t *testing.T, p *KMIP, id string, want kmip.State) {
	t.Helper()
	do(t, p, func(s *session) error {
		if got, ok := s.state(id); got != want {
			t.Errorf("in state %v, %v, want %v", got, ok, want)
		}
		return nil
	})
}

func testPyKMIPNamesakes(t *testing.T, s *servers.PyKMIP) {
	p := open(t, as(t, s, "namesakes"))
	put(t, p, "k", material)
	put(t, p, "k", make([]byte, 32))
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrBadKey, "2 keys have this name")
}

func testPyKMIPUsers(t *testing.T, s *servers.PyKMIP) {
	put(t, open(t, as(t, s, "owner")), "k", material)
	_, err := open(t, as(t, s, "nobody")).Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "client certificate's user")
}

func testPyKMIPStrangers(t *testing.T, s *servers.PyKMIP) {
	other := kmiptest.NewAuthority(t)
	o := as(t, s, "u")
	pair := other.Client(t, "u")
	o.Cert, o.Key = pair.Cert, pair.Key
	_, err := open(t, o).Key(t.Context(), "k")
	checkError(t, err, fs.ErrPermission, "TLS handshake")
	o = as(t, s, "u")
	o.CA = other.File
	_, err = open(t, o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "certificate")
}

func testPyKMIPGone(t *testing.T, s *servers.PyKMIP) {
	p := open(t, as(t, s, "gone"))
	put(t, p, "k", material)
	s.Stop()
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "connection refused")
	second := servers.StartPyKMIP(t)
	defer second.Stop()
	o := as(t, second, "gone")
	put(t, open(t, o), "k", material)
	o.Host = "127.0.0.1:" + s.Port + ",127.0.0.1:" + second.Port
	if _, err := open(t, o).Key(t.Context(), "k"); err != nil {
		t.Errorf("with a second server: %v", err)
	}
}
