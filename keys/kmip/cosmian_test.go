//go:build cosmian

package kmip

import (
	"fmt"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/keys"
	"walarchive/keys/keystest"
	"walarchive/keys/keystest/servers"
)

// TestRealCosmian asks the real Cosmian KMS what kmiptest.Cosmian claims of it.
func TestRealCosmian(t *testing.T) {
	s := servers.StartCosmian(t)
	users := 0
	t.Run("conformance", func(t *testing.T) {
		keystest.TestProvider(t, func(t *testing.T) (keys.Provider, func(string, []byte)) {
			users++
			p := open(t, options(s.CA, s.CA.Client(t, fmt.Sprintf("user-%d", users)), s.Port))
			return p, func(name string, key []byte) { put(t, p, name, key) }
		})
	})

	p := open(t, options(s.CA, s.CA.Client(t, "owner"), s.Port))
	t.Run("check", func(t *testing.T) {
		if ends, err := p.Check(t.Context()); err != nil || len(ends) != 3 {
			t.Errorf("got %v, error %v", ends, err)
		}
	})
	t.Run("namesakes", func(t *testing.T) {
		put(t, p, "twice", material)
		put(t, p, "twice", material)
		_, err := p.Key(t.Context(), "twice")
		checkError(t, err, keys.ErrBadKey, "2 keys have this name")
	})
	t.Run("another user", func(t *testing.T) {
		put(t, p, "private", material)
		other := open(t, options(s.CA, s.CA.Client(t, "other"), s.Port))
		if _, err := other.Key(t.Context(), "private"); err == nil {
			t.Error("another user gets the key")
		}
	})
	t.Run("revoked", func(t *testing.T) {
		id := put(t, p, "revoked", material)
		do(t, p, func(s *session) error {
			if _, err := ask[*payloads.ActivateResponsePayload](s, &payloads.ActivateRequestPayload{UniqueIdentifier: id}); err != nil {
				return err
			}
			reason := kmip.RevocationReason{RevocationReasonCode: kmip.RevocationReasonCodeCessationOfOperation}
			_, err := ask[*payloads.RevokeResponsePayload](s, &payloads.RevokeRequestPayload{UniqueIdentifier: id, RevocationReason: reason})
			return err
		})
		_, err := p.Key(t.Context(), "revoked")
		checkError(t, err, keys.ErrBadKey, "deactivated")
	})
}
