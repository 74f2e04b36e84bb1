package kmiptest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

// fixture is a service and a client of it that is not ours.
type fixture struct {
	*Cosmian
	ca *Authority
}

func newFixture(t *testing.T) *fixture {
	ca := NewAuthority(t)
	return &fixture{StartCosmian(t, ca.ServerConfig(t, ca.Server(t))), ca}
}

func (f *fixture) client(t *testing.T, user string, options ...kmipclient.Option) *kmipclient.Client {
	t.Helper()
	pair := f.ca.Client(t, user)
	c, err := kmipclient.Dial(net.JoinHostPort("127.0.0.1", f.Port), append(options,
		kmipclient.WithRootCAFile(f.ca.File), kmipclient.WithClientCertFiles(pair.Cert, pair.Key))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// do makes a request and gives the reason of its failure; 0: it succeeded.
func do(t *testing.T, c *kmipclient.Client, payload kmip.OperationPayload) (kmip.OperationPayload, kmip.ResultReason) {
	t.Helper()
	items, err := c.Batch(context.WithoutCancel(t.Context()), payload)
	if err != nil {
		t.Fatal(err)
	}
	return items[0].ResponsePayload, items[0].ResultReason
}

func stateOf(t *testing.T, c *kmipclient.Client, id string) kmip.State {
	t.Helper()
	p, reason := do(t, c, &payloads.GetAttributesRequestPayload{UniqueIdentifier: id})
	if reason != 0 {
		t.Fatalf("GetAttributes: reason %#x", uint32(reason))
	}
	return p.(*payloads.GetAttributesResponsePayload).Attribute[0].AttributeValue.(kmip.State)
}

func locate(t *testing.T, c *kmipclient.Client, name string) []string {
	t.Helper()
	p, reason := do(t, c, &payloads.LocateRequestPayload{MaximumItems: 1000, Attribute: []kmip.Attribute{
		{AttributeName: kmip.AttributeNameName, AttributeValue: kmip.Name{NameValue: name, NameType: kmip.NameTypeUninterpretedTextString}},
	}})
	if reason != 0 {
		t.Fatalf("Locate: reason %#x", uint32(reason))
	}
	return p.(*payloads.LocateResponsePayload).UniqueIdentifier
}

func get(id string) kmip.OperationPayload { return &payloads.GetRequestPayload{UniqueIdentifier: id} }

func revoke(id string, code kmip.RevocationReasonCode) kmip.OperationPayload {
	return &payloads.RevokeRequestPayload{UniqueIdentifier: id, RevocationReason: kmip.RevocationReason{RevocationReasonCode: code}}
}

func TestDiscoverNamesTheNewestFirst(t *testing.T) {
	f := newFixture(t)
	p, _ := do(t, f.client(t, "u"), &payloads.DiscoverVersionsRequestPayload{})
	all := p.(*payloads.DiscoverVersionsResponsePayload).ProtocolVersion
	if len(all) != 7 || all[0].ProtocolVersionMajor != 2 || all[0].ProtocolVersionMinor != 1 || all[6] != kmip.V1_0 {
		t.Errorf("got %v", all)
	}
}

// Who has no certificate is dropped at the first request, not before.
func TestNoCertificate(t *testing.T) {
	f := newFixture(t)
	for name, config := range map[string]*tls.Config{
		"no certificate": {InsecureSkipVerify: true},
		"no common name": {InsecureSkipVerify: true, Certificates: []tls.Certificate{load(t, f.ca.Client(t, ""))}},
	} {
		conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", f.Port), config)
		if err != nil {
			t.Fatalf("%s: the handshake fails: %v", name, err)
		}
		if _, err := conn.Write(ttlv.MarshalTTLV(new(kmip.NewRequestMessage(kmip.V1_1, &payloads.DiscoverVersionsRequestPayload{})))); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
			t.Errorf("%s: got %d bytes, error %v, want the end", name, len(b), err)
		}
		_ = conn.Close()
	}
}

func load(t *testing.T, p Pair) tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStates(t *testing.T) {
	f := newFixture(t)
	c := f.client(t, "u")
	tests := []struct {
		name   string
		from   kmip.State
		do     func(id string) kmip.OperationPayload
		reason kmip.ResultReason
		to     kmip.State
	}{
		{"Get of Pre-Active", kmip.StatePreActive, get, 0, kmip.StatePreActive},
		{"Get of Active", kmip.StateActive, get, 0, kmip.StateActive},
		{"Get of Compromised", kmip.StateCompromised, get, 0, kmip.StateCompromised},
		{"Get of Deactivated", kmip.StateDeactivated, get, WrongState, kmip.StateDeactivated},
		{"Get of Destroyed", kmip.StateDestroyed, get, ObjectDestroyed, kmip.StateDestroyed},
		{"Activate of Pre-Active", kmip.StatePreActive, activate, 0, kmip.StateActive},
		{"Activate of Active", kmip.StateActive, activate, WrongState, kmip.StateActive},
		{"Activate of Deactivated", kmip.StateDeactivated, activate, WrongState, kmip.StateDeactivated},
		{"Revoke of Pre-Active", kmip.StatePreActive, cease, 0, kmip.StateDeactivated},
		{"Revoke of Active", kmip.StateActive, cease, 0, kmip.StateDeactivated},
		{"Revoke of Deactivated", kmip.StateDeactivated, cease, 0, kmip.StateDeactivated},
		{"Revoke for compromise", kmip.StateActive, compromise, 0, kmip.StateCompromised},
		{"Destroy of Pre-Active", kmip.StatePreActive, destroy, 0, kmip.StateDestroyed},
		{"Destroy of Deactivated", kmip.StateDeactivated, destroy, 0, kmip.StateDestroyed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := f.Put("u", "k", make([]byte, 32), tt.from)
			if _, reason := do(t, c, tt.do(id)); reason != tt.reason {
				t.Errorf("reason %#x, want %#x", uint32(reason), uint32(tt.reason))
			}
			if got := stateOf(t, c, id); got != tt.to {
				t.Errorf("then in state %v, want %v", got, tt.to)
			}
		})
	}
}

func activate(id string) kmip.OperationPayload {
	return &payloads.ActivateRequestPayload{UniqueIdentifier: id}
}

func destroy(id string) kmip.OperationPayload {
	return &payloads.DestroyRequestPayload{UniqueIdentifier: id}
}

func cease(id string) kmip.OperationPayload {
	return revoke(id, kmip.RevocationReasonCodeCessationOfOperation)
}

func compromise(id string) kmip.OperationPayload {
	return revoke(id, kmip.RevocationReasonCodeKeyCompromise)
}

func TestStrictGet(t *testing.T) {
	f := newFixture(t)
	f.Strict = true
	c := f.client(t, "u")
	for state, want := range map[kmip.State]kmip.ResultReason{
		kmip.StatePreActive: WrongState, kmip.StateActive: 0, kmip.StateCompromised: WrongState,
	} {
		if _, reason := do(t, c, get(f.Put("u", "k", make([]byte, 32), state))); reason != want {
			t.Errorf("%v: reason %#x, want %#x", state, uint32(reason), uint32(want))
		}
	}
}

// An Active key with an Activation Date must be revoked before it is destroyed.
func TestDestroyOfActive(t *testing.T) {
	f := newFixture(t)
	c := f.client(t, "u")
	id := f.Put("u", "k", make([]byte, 32), kmip.StatePreActive)
	do(t, c, activate(id))
	if _, reason := do(t, c, destroy(id)); reason != WrongState {
		t.Errorf("reason %#x", uint32(reason))
	}
	do(t, c, cease(id))
	if _, reason := do(t, c, destroy(id)); reason != 0 {
		t.Errorf("after Revoke: reason %#x", uint32(reason))
	}
	if _, reason := do(t, c, get(id)); reason != ObjectDestroyed {
		t.Errorf("Get of a destroyed key: reason %#x", uint32(reason))
	}
	if ids := locate(t, c, "k"); len(ids) != 0 {
		t.Errorf("a destroyed key is located: %v", ids)
	}
}

// A new key is Pre-Active, or Active when its Activation Date has passed.
func TestActivationDate(t *testing.T) {
	f := newFixture(t)
	c := f.client(t, "u")
	for name, tt := range map[string]struct {
		date *time.Time
		want kmip.State
	}{
		"none":   {nil, kmip.StatePreActive},
		"passed": {new(time.Now().Add(-time.Hour)), kmip.StateActive},
		"future": {new(time.Now().Add(time.Hour)), kmip.StatePreActive},
	} {
		r := c.Create().AES(256, kmip.CryptographicUsageEncrypt).WithName(name)
		if tt.date != nil {
			r = r.WithAttribute(kmip.AttributeNameActivationDate, *tt.date)
		}
		made, err := r.ExecContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := stateOf(t, c, made.UniqueIdentifier); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Names are not unique, and belong to their user.
func TestNames(t *testing.T) {
	f := newFixture(t)
	c, other := f.client(t, "u"), f.client(t, "other")
	id := f.Put("u", "k", make([]byte, 32), kmip.StateActive)
	f.Put("u", "k", make([]byte, 32), kmip.StateActive)
	f.Put("u", "K", make([]byte, 32), kmip.StateActive)
	if ids := locate(t, c, "k"); len(ids) != 2 {
		t.Errorf("located %v", ids)
	}
	if ids := locate(t, c, "absent"); len(ids) != 0 {
		t.Errorf("located %v", ids)
	}
	if ids := locate(t, other, "k"); len(ids) != 0 {
		t.Errorf("another user locates %v", ids)
	}
	if _, reason := do(t, other, get(id)); reason != ObjectNotFound {
		t.Errorf("another user's Get: reason %#x", uint32(reason))
	}
	if _, reason := do(t, c, get("unknown")); reason != ObjectNotFound {
		t.Errorf("Get of an unknown identifier: reason %#x", uint32(reason))
	}
}
