package kmip

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/ttlv"

	"walarchive/keys"
	"walarchive/keys/keystest/kmiptest"
)

// world is a service, its CA and the options of one user of it.
type world struct {
	*kmiptest.Cosmian
	ca *kmiptest.Authority
	o  Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ca := kmiptest.NewAuthority(t)
	w := &world{Cosmian: kmiptest.StartCosmian(t, ca.ServerConfig(t, ca.Server(t))), ca: ca}
	w.o = options(ca, ca.Client(t, "u"), w.Port)
	return w
}

func options(ca *kmiptest.Authority, client kmiptest.Pair, port string) Options {
	return Options{Host: "127.0.0.1", Port: port, CA: ca.File, Cert: client.Cert, Key: client.Key}
}

func open(t *testing.T, o Options) *KMIP {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hasty is a provider that does not wait for long.
func hasty(t *testing.T, o Options) *KMIP {
	t.Helper()
	p := open(t, o)
	p.connectTimeout, p.callTimeout = time.Second, time.Second
	return p
}

// checkError checks that err is of one kind only.
func checkError(t *testing.T, err, want error, text string) {
	t.Helper()
	for _, kind := range []error{keys.ErrNoKey, keys.ErrUnavailable, keys.ErrBadKey, fs.ErrPermission, keys.ErrName, keys.ErrKeyExists} {
		if got := errors.Is(err, kind); got != (kind == want) {
			t.Errorf("%v: is %q: %v", err, kind, got)
		}
	}
	var e *keys.Error
	if !errors.As(err, &e) || e.Hint() == "" {
		t.Errorf("%v is no *keys.Error with a hint", err)
		return
	}
	if full := err.Error() + "; " + e.Hint(); !strings.Contains(full, text) || strings.ContainsAny(full, "\n\x1b") {
		t.Errorf("%q does not say %q in one line", full, text)
	}
}

var material = bytes.Repeat([]byte{7}, 32)

// answerOf is a successful answer of version 1.4.
func answerOf(op kmip.Operation, payload kmip.OperationPayload) []byte {
	return itemOf(kmip.ResponseBatchItem{Operation: op, ResponsePayload: payload})
}

func itemOf(items ...kmip.ResponseBatchItem) []byte {
	return ttlv.MarshalTTLV(&kmip.ResponseMessage{
		Header:    kmip.ResponseHeader{ProtocolVersion: kmip.V1_4, TimeStamp: time.Unix(1, 0), BatchCount: int32(len(items))},
		BatchItem: items,
	})
}

// meddling is a service that answers one operation as it should not.
func meddling(t *testing.T, with kmip.Operation, how func([]byte) []byte) *world {
	t.Helper()
	w := newWorld(t)
	w.Put("u", "k", material, kmip.StateActive)
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op == with {
			return how(answer)
		}
		return answer
	}
	return w
}

// mute takes connections of TCP and says nothing.
func mute(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}
