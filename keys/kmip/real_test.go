//go:build integration || cosmian

package kmip

import (
	"context"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/crypt"
)

// do makes requests of a session of their own.
func do(t *testing.T, p *KMIP, work func(*session) error) {
	t.Helper()
	err := p.with(t.Context(), p.servers[0], func(_ context.Context, s *session) error { return work(s) })
	if err != nil {
		t.Fatal(err)
	}
}

// put registers a key of any length, as pg_tde does: it stays Pre-Active.
func put(t *testing.T, p *KMIP, name string, material []byte) (id string) {
	t.Helper()
	r := registerRequest(name, crypt.Key{})
	block := &r.Object.(*kmip.SymmetricKey).KeyBlock
	block.KeyValue.Plain.KeyMaterial.Bytes = &material
	block.CryptographicLength = int32(8 * len(material))
	r.TemplateAttribute.Attribute[1] = attribute(kmip.AttributeNameCryptographicLength, block.CryptographicLength)
	do(t, p, func(s *session) error {
		answer, err := ask[*payloads.RegisterResponsePayload](s, r)
		if err == nil {
			id = answer.UniqueIdentifier
		}
		return err
	})
	return id
}
