package kmiptest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipserver"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

// Reasons of KMIP 2.x, which Cosmian also gives to clients of 1.x.
const (
	ObjectDestroyed kmip.ResultReason = 0x36
	ObjectNotFound  kmip.ResultReason = 0x37
	WrongState      kmip.ResultReason = 0x43
)

// Cosmian is a service in memory that behaves as Cosmian KMS is documented to,
// as far as symmetric keys go. The user is the common name of the client's
// certificate; who has none is dropped at the first request.
type Cosmian struct {
	Port string

	// Strict refuses Get of keys that are not Active, as the documentation has
	// it; the code also gives away those that are Pre-Active or Compromised.
	Strict bool
	// Versions are the protocol's that the service has; by default all.
	Versions []kmip.ProtocolVersion
	// Meddle may change an encoded answer before it is sent; nil instead of
	// one closes the connection. It may also take its time.
	Meddle func(op kmip.Operation, answer []byte) []byte

	mu      sync.Mutex
	objects map[string]*object
	newest  string // identifier
	asked   []kmip.Operation
}

type object struct {
	owner, name string
	key         kmip.SymmetricKey
	state       kmip.State
	activated   time.Time // zero: never, or at once
}

// StartCosmian starts a service without keys. Change its fields before the
// first request only.
func StartCosmian(t testing.TB, config *tls.Config) *Cosmian {
	t.Helper()
	c := &Cosmian{objects: map[string]*object{}}
	c.Port = Listen(t, config, c.serve)
	return c
}

// userKey is where the user is in the context of a request.
type userKey struct{}

func (c *Cosmian) serve(conn *tls.Conn) {
	stream := ttlv.NewStream(conn, ttlv.DefaultMaxMessageSize)
	executor := c.executor()
	for {
		var request kmip.RequestMessage
		if stream.Recv(&request) != nil {
			return
		}
		peers := conn.ConnectionState().PeerCertificates
		if len(peers) == 0 || peers[0].Subject.CommonName == "" || len(request.BatchItem) == 0 {
			return
		}
		op := request.BatchItem[0].Operation
		c.mu.Lock()
		c.asked = append(c.asked, op)
		c.mu.Unlock()
		ctx := context.WithValue(context.Background(), userKey{}, peers[0].Subject.CommonName)
		answer := ttlv.MarshalTTLV(executor.HandleRequest(ctx, &request))
		if c.Meddle != nil {
			answer = c.Meddle(op, answer)
		}
		if answer == nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func (c *Cosmian) executor() *kmipserver.BatchExecutor {
	e := kmipserver.NewBatchExecutor()
	if c.Versions != nil {
		e.SetSupportedProtocolVersions(c.Versions...)
	}
	e.Route(kmip.OperationDiscoverVersions, kmipserver.HandleFunc(c.discover))
	e.Route(kmip.OperationCreate, kmipserver.HandleFunc(c.create))
	e.Route(kmip.OperationRegister, kmipserver.HandleFunc(c.register))
	e.Route(kmip.OperationLocate, kmipserver.HandleFunc(c.locate))
	e.Route(kmip.OperationGet, kmipserver.HandleFunc(c.get))
	e.Route(kmip.OperationGetAttributes, kmipserver.HandleFunc(c.getAttributes))
	e.Route(kmip.OperationActivate, kmipserver.HandleFunc(c.activate))
	e.Route(kmip.OperationRevoke, kmipserver.HandleFunc(c.revoke))
	e.Route(kmip.OperationDestroy, kmipserver.HandleFunc(c.destroy))
	return e
}

// Put stores a key of any length for a user, in a state.
func (c *Cosmian) Put(user, name string, material []byte, state kmip.State) (id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(&object{owner: user, name: name, key: rawKey(material), state: state})
}

// Asked are the operations of all requests so far.
func (c *Cosmian) Asked() []kmip.Operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]kmip.Operation(nil), c.asked...)
}

// Newest is the identifier of the key that was stored last.
func (c *Cosmian) Newest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}

// Objects is the number of keys that are not destroyed.
func (c *Cosmian) Objects() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, o := range c.objects {
		if !destroyed(o.state) {
			n++
		}
	}
	return n
}

func rawKey(material []byte) kmip.SymmetricKey {
	material = append([]byte(nil), material...)
	return kmip.SymmetricKey{KeyBlock: kmip.KeyBlock{
		KeyFormatType:          kmip.KeyFormatTypeRaw,
		KeyValue:               &kmip.KeyValue{Plain: &kmip.PlainKeyValue{KeyMaterial: kmip.KeyMaterial{Bytes: &material}}},
		CryptographicAlgorithm: kmip.CryptographicAlgorithmAES,
		CryptographicLength:    int32(8 * len(material)),
	}}
}

// add gives an object an identifier of the form that Cosmian's have.
func (c *Cosmian) add(o *object) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	h := hex.EncodeToString(b)
	id := h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	c.objects[id], c.newest = o, id
	return id
}

func destroyed(s kmip.State) bool {
	return s == kmip.StateDestroyed || s == kmip.StateDestroyedCompromised
}

// find gives an object of the user; those of others are not there.
func (c *Cosmian) find(ctx context.Context, id string) (*object, error) {
	o, ok := c.objects[id]
	if !ok || o.owner != ctx.Value(userKey{}) {
		return nil, kmipserver.Errorf(ObjectNotFound, "object not found for identifier %s", id)
	}
	return o, nil
}

// discover answers newest first, with those the client has asked for.
func (c *Cosmian) discover(_ context.Context, r *payloads.DiscoverVersionsRequestPayload) (*payloads.DiscoverVersionsResponsePayload, error) {
	all := c.Versions
	if all == nil {
		all = []kmip.ProtocolVersion{
			{ProtocolVersionMajor: 2, ProtocolVersionMinor: 1}, {ProtocolVersionMajor: 2}, kmip.V1_4, kmip.V1_3, kmip.V1_2, kmip.V1_1, kmip.V1_0,
		}
	}
	answer := &payloads.DiscoverVersionsResponsePayload{}
	for _, v := range all {
		if len(r.ProtocolVersion) == 0 || slices.Contains(r.ProtocolVersion, v) {
			answer.ProtocolVersion = append(answer.ProtocolVersion, v)
		}
	}
	return answer, nil
}
