package kmip

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/keystest"
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
	p.connectTimeout, p.callTimeout = 200*time.Millisecond, 200*time.Millisecond
	return p
}

func TestConformance(t *testing.T) {
	keystest.TestProvider(t, func(t *testing.T) (keys.Provider, func(string, []byte)) {
		w := newWorld(t)
		return open(t, w.o), func(name string, key []byte) { w.Put("u", name, key, kmip.StatePreActive) }
	})
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

func TestStates(t *testing.T) {
	tests := []struct {
		name   string
		state  kmip.State
		strict bool
		want   error
		text   string
	}{
		{"Pre-Active, as pg_tde leaves its keys", kmip.StatePreActive, false, nil, ""},
		{"Active", kmip.StateActive, true, nil, ""},
		{"Pre-Active, strictly", kmip.StatePreActive, true, keys.ErrBadKey, "it is not active yet: the service answers WrongKeyLifecycleState: DENIED"},
		{"Compromised, but handed out", kmip.StateCompromised, false, nil, ""},
		{"Compromised", kmip.StateCompromised, true, keys.ErrBadKey, "marked as compromised"},
		{"Deactivated", kmip.StateDeactivated, false, keys.ErrBadKey, "it is deactivated"},
		{"Destroyed", kmip.StateDestroyed, false, keys.ErrNoKey, "no such key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.Strict = tt.strict
			w.Put("u", "k", material, tt.state)
			key, err := open(t, w.o).Key(t.Context(), "k")
			if tt.want != nil {
				checkError(t, err, tt.want, tt.text)
			} else if err != nil || !bytes.Equal(key.Bytes(), material) {
				t.Errorf("got another key, or error %v", err)
			}
		})
	}
}

// A key may be destroyed between Locate and Get.
func TestDestroyedWhileAsking(t *testing.T) {
	w := newWorld(t)
	id := w.Put("u", "k", material, kmip.StateDestroyed)
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op == kmip.OperationLocate {
			return answerOf(op, &payloads.LocateResponsePayload{UniqueIdentifier: []string{id}})
		}
		return answer
	}
	_, err := open(t, w.o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "it was destroyed")
}

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

func TestNamesakesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.Put("u", "k", material, kmip.StateActive)
	w.Put("u", "k", make([]byte, 32), kmip.StateActive)
	_, err := open(t, w.o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrBadKey, "2 keys have this name")
	_, err = open(t, w.o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrKeyExists, "")
}

func TestOtherUsersKeys(t *testing.T) {
	w := newWorld(t)
	w.Put("somebody", "k", material, kmip.StateActive)
	_, err := open(t, w.o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "client certificate's user")
}

func TestVersions(t *testing.T) {
	for _, v := range versions() {
		t.Run(fmt.Sprintf("%d.%d", v.ProtocolVersionMajor, v.ProtocolVersionMinor), func(t *testing.T) {
			w := newWorld(t)
			w.Versions = []kmip.ProtocolVersion{v}
			if v != kmip.V1_0 {
				w.Versions = append(w.Versions, kmip.V1_1) // which the question is asked in
			}
			made, err := open(t, w.o).Create(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			if key, err := open(t, w.o).Key(t.Context(), "k"); err != nil || !key.Equal(made) {
				t.Errorf("got another key, or error %v", err)
			}
		})
	}
	w := newWorld(t)
	w.Meddle = func(kmip.Operation, []byte) []byte {
		return answerOf(kmip.OperationDiscoverVersions, &payloads.DiscoverVersionsResponsePayload{})
	}
	_, err := open(t, w.o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "none of the versions")
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

func TestBrokenAnswers(t *testing.T) {
	instead := func(b []byte) func([]byte) []byte { return func([]byte) []byte { return b } }
	block := func(edit func(*kmip.KeyBlock)) func([]byte) []byte {
		return func(b []byte) []byte {
			var m kmip.ResponseMessage
			if err := ttlv.UnmarshalTTLV(b, &m); err != nil {
				t.Error(err)
			}
			edit(&m.BatchItem[0].ResponsePayload.(*payloads.GetResponsePayload).Object.(*kmip.SymmetricKey).KeyBlock)
			return ttlv.MarshalTTLV(&m)
		}
	}
	failing := func(reason kmip.ResultReason, text string) func([]byte) []byte {
		return instead(itemOf(kmip.ResponseBatchItem{
			Operation: kmip.OperationGet, ResultStatus: kmip.ResultStatusOperationFailed, ResultReason: reason, ResultMessage: text,
		}))
	}
	ask, find, get := kmip.OperationDiscoverVersions, kmip.OperationLocate, kmip.OperationGet
	tests := []struct {
		name string
		with kmip.Operation
		how  func([]byte) []byte
		want error
		text string
	}{
		{"connection dropped", find, instead(nil), keys.ErrUnavailable, "closed the connection"},
		{"connection dropped first", ask, instead(nil), keys.ErrUnavailable, "closed the connection"},
		{"half an answer", get, func(b []byte) []byte { return b[:len(b)/2] }, keys.ErrUnavailable, "no answer within"},
		{"an item too short", get, func(b []byte) []byte { b[15] = 0; return b }, keys.ErrUnavailable, "not one of KMIP"},
		{"an integer of no bytes", ask, instead(noInteger()), keys.ErrUnavailable, "not one of KMIP"},
		{"HTTP", ask, instead([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), keys.ErrUnavailable, "not one of KMIP"},
		{"a request", ask, instead([]byte("\x42\x00\x78\x01\x00\x00\x00\x00")), keys.ErrUnavailable, "not one of KMIP"},
		{"too long", ask, instead([]byte("\x42\x00\x7b\x01\x7f\xff\xff\xf8")), keys.ErrUnavailable, "longer than"},
		{"nothing in it", ask, instead([]byte("\x42\x00\x7b\x01\x00\x00\x00\x00")), keys.ErrUnavailable, "not one of KMIP"},
		{"no items", find, instead(itemOf()), keys.ErrUnavailable, "0 items"},
		{"success without payload", get, instead(itemOf(kmip.ResponseBatchItem{Operation: get})), keys.ErrUnavailable, "another question"},
		{"payload of another operation", get, instead(answerOf(find, &payloads.LocateResponsePayload{})), keys.ErrUnavailable, "another question"},
		{"another identifier", get, instead(answerOf(get, &payloads.GetResponsePayload{
			ObjectType: kmip.ObjectTypeSymmetricKey, UniqueIdentifier: "x", Object: &kmip.SymmetricKey{KeyBlock: kmip.KeyBlock{KeyFormatType: kmip.KeyFormatTypeRaw}},
		})), keys.ErrBadKey, "another object"},
		{"secret data", get, instead(answerOf(get, &payloads.GetResponsePayload{
			ObjectType: kmip.ObjectTypeSecretData, UniqueIdentifier: "x", Object: &kmip.SecretData{SecretDataType: kmip.SecretDataTypePassword, KeyBlock: kmip.KeyBlock{KeyFormatType: kmip.KeyFormatTypeRaw}},
		})), keys.ErrBadKey, "another object"},
		{"not raw", get, block(func(k *kmip.KeyBlock) { k.KeyFormatType = kmip.KeyFormatTypeOpaque }), keys.ErrBadKey, "another format than Raw"},
		{"wrapped", get, block(func(k *kmip.KeyBlock) {
			k.KeyWrappingData = &kmip.KeyWrappingData{WrappingMethod: kmip.WrappingMethodEncrypt}
		}), keys.ErrBadKey, "wrapped"},
		{"no value", get, block(func(k *kmip.KeyBlock) { k.KeyValue = nil }), keys.ErrBadKey, "no bytes"},
		{"not found", get, failing(kmip.ResultReasonItemNotFound, ""), keys.ErrNoKey, "ItemNotFound"},
		{"not found in 2.x", get, failing(kmiptest.ObjectNotFound, ""), keys.ErrNoKey, "ObjectNotFound"},
		{"no permission", get, failing(kmip.ResultReasonPermissionDenied, "no\n\x1b[1m way"), fs.ErrPermission, "PermissionDenied: no [1m way"},
		{"sensitive", get, failing(kmip.ResultReasonSensitive, ""), keys.ErrBadKey, "Sensitive"},
		{"in trouble", get, failing(kmip.ResultReasonGeneralFailure, strings.Repeat("x", 1000)), keys.ErrUnavailable, "xxx…"},
		{"unknown reason", get, failing(0x7FFF, ""), keys.ErrUnavailable, "reason 0x7fff"},
		{"Locate finds nothing, as a failure", find, failing(kmip.ResultReasonItemNotFound, ""), keys.ErrNoKey, ""},
		{"who are you", ask, failing(kmip.ResultReasonAuthenticationNotSuccessful, ""), fs.ErrPermission, "AuthenticationNotSuccessful"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := meddling(t, tt.with, tt.how)
			key, err := hasty(t, w.o).Key(t.Context(), "k")
			checkError(t, err, tt.want, tt.text)
			if !key.IsZero() {
				t.Error("got a key along with the error")
			}
		})
	}
}

// noInteger is an answer whose version is of no bytes: the library panics.
func noInteger() []byte {
	b, _ := hex.DecodeString("42007b0100000018" + "42007a0100000010" + "4200690100000008" + "42006a0200000000")
	return b
}

func TestSlowAnswers(t *testing.T) {
	for _, op := range []kmip.Operation{kmip.OperationDiscoverVersions, kmip.OperationLocate, kmip.OperationGet} {
		w := meddling(t, op, func([]byte) []byte {
			<-t.Context().Done()
			return nil
		})
		_, err := hasty(t, w.o).Key(t.Context(), "k")
		checkError(t, err, keys.ErrUnavailable, "no answer within 200ms")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := open(t, w.o).Key(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("the caller's end: %v", err)
		}
	}
}

func TestConnections(t *testing.T) {
	w := newWorld(t)
	w.Put("u", "k", material, kmip.StateActive)
	other := kmiptest.NewAuthority(t)
	edit := func(edit func(*Options)) Options {
		o := w.o
		edit(&o)
		return o
	}
	client := other.Client(t, "u")
	named := options(w.ca, w.ca.Client(t, "u"), kmiptest.Listen(t, w.ca.ServerConfig(t, w.ca.ServerCalled(t, "kms.example.com")), func(*tls.Conn) {}))
	common := options(w.ca, w.ca.Client(t, "u"), kmiptest.Listen(t, w.ca.ServerConfig(t, w.ca.ServerCalled(t)), func(*tls.Conn) {}))
	tests := []struct {
		name string
		o    Options
		want error
		text string
	}{
		{"nobody listens", edit(func(o *Options) { o.Port = "1" }), keys.ErrUnavailable, "connection refused"},
		{"service of another CA", edit(func(o *Options) { o.CA = other.File }), keys.ErrUnavailable, "verification cannot be switched off"},
		{"service of another name", named, keys.ErrUnavailable, "subjectAltName"},
		{"service of a common name only", common, keys.ErrUnavailable, "subjectAltName"},
		{"our certificate of another CA", edit(func(o *Options) { o.Cert, o.Key = client.Cert, client.Key }), fs.ErrPermission, "client certificate"},
		{"our certificate without key", edit(func(o *Options) { o.Key = client.Key }), keys.ErrUnavailable, "does not match"},
		{"no CA in the file", edit(func(o *Options) { o.CA = w.o.Key }), keys.ErrUnavailable, "no PEM certificate"},
		{"CA missing", edit(func(o *Options) { o.CA += "x" }), keys.ErrUnavailable, "no such file"},
		{"certificate missing", edit(func(o *Options) { o.Cert += "x" }), keys.ErrUnavailable, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t, tt.o).Key(t.Context(), "k")
			checkError(t, err, tt.want, tt.text)
		})
	}
	if asked := w.Asked(); len(asked) > 0 {
		t.Errorf("the service was asked %v", asked)
	}
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

func TestConnectionIsWaitedForNotLong(t *testing.T) {
	w := newWorld(t)
	w.o.Port = mute(t)
	p := hasty(t, w.o)
	p.callTimeout = callTimeout
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "no connection within 200ms")
}

func TestFailOver(t *testing.T) {
	good := newWorld(t)
	good.Put("u", "k", material, kmip.StateActive)
	drops := kmiptest.Listen(t, good.ca.ServerConfig(t, good.ca.Server(t)), func(c *tls.Conn) { _, _ = io.ReadFull(c, make([]byte, 8)) })
	troubled := kmiptest.StartCosmian(t, good.ca.ServerConfig(t, good.ca.Server(t)))
	troubled.Meddle = func(op kmip.Operation, _ []byte) []byte {
		return itemOf(kmip.ResponseBatchItem{Operation: op, ResultStatus: kmip.ResultStatusOperationFailed, ResultReason: kmip.ResultReasonGeneralFailure})
	}
	empty := kmiptest.StartCosmian(t, good.ca.ServerConfig(t, good.ca.Server(t)))
	tests := []struct {
		name  string
		ports []string
		want  error
		text  string
	}{
		{"one is down", []string{"1", good.Port}, nil, ""},
		{"one says nothing", []string{mute(t), good.Port}, nil, ""},
		{"one drops connections", []string{drops, good.Port}, nil, ""},
		{"one is in trouble", []string{troubled.Port, good.Port}, nil, ""},
		{"one has no such key", []string{empty.Port, good.Port}, keys.ErrNoKey, "127.0.0.1:" + empty.Port},
		{"all are down", []string{"1", drops}, keys.ErrUnavailable, "127.0.0.1:1: key service not reachable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good.o
			o.Host = "127.0.0.1:" + strings.Join(tt.ports, ", 127.0.0.1:")
			key, err := hasty(t, o).Key(t.Context(), "k")
			if tt.want != nil {
				checkError(t, err, tt.want, tt.text)
			} else if err != nil || !bytes.Equal(key.Bytes(), material) {
				t.Errorf("got another key, or error %v", err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	p := open(t, w.o)
	for _, name := range []string{"", strings.Repeat("n", 251), "a\x00", "\xff"} {
		_, err := p.Key(t.Context(), name)
		checkError(t, err, keys.ErrName, "")
		_, err = p.Create(t.Context(), name)
		checkError(t, err, keys.ErrName, "")
	}
	if asked := w.Asked(); len(asked) > 0 {
		t.Errorf("the service was asked %v", asked)
	}
	long := strings.Repeat("ü", 125)
	w.Put("u", long, material, kmip.StateActive)
	if _, err := p.Key(t.Context(), long); err != nil {
		t.Error(err)
	}
}

func TestCreateActivates(t *testing.T) {
	w := newWorld(t)
	w.Strict = true
	p := open(t, w.o)
	made, err := p.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if key, err := p.Key(t.Context(), "k"); err != nil || !key.Equal(made) {
		t.Errorf("got another key, or error %v", err)
	}
}

// Some services activate new keys by themselves and refuse to do it again.
func TestCreateWhereKeysAreActiveAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op == kmip.OperationActivate { // it has been by now
			return itemOf(kmip.ResponseBatchItem{Operation: op, ResultStatus: kmip.ResultStatusOperationFailed, ResultReason: kmip.ResultReasonPermissionDenied})
		}
		return answer
	}
	if _, err := open(t, w.o).Create(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}

// A Register whose answer is lost must be repeated nowhere.
func TestCreateOnce(t *testing.T) {
	w, second := newWorld(t), newWorld(t)
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op == kmip.OperationRegister {
			return nil
		}
		return answer
	}
	o := w.o
	o.Host = "127.0.0.1:" + w.Port + ",127.0.0.1:" + second.Port
	_, err := open(t, o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "closed the connection")
	if n := w.Objects(); n != 1 || len(second.Asked()) > 0 {
		t.Errorf("%d keys here, %v asked there", n, second.Asked())
	}
	registers := slices.DeleteFunc(w.Asked(), func(op kmip.Operation) bool { return op != kmip.OperationRegister })
	if len(registers) != 1 {
		t.Errorf("registered %d times", len(registers))
	}
}

// A creator who meets another one gives way, and tries again.
func TestCreateGivesWay(t *testing.T) {
	w := newWorld(t)
	met := false
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op == kmip.OperationRegister && !met {
			met = true
			w.Put("u", "k", material, kmip.StateActive)
		}
		return answer
	}
	_, err := open(t, w.o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrKeyExists, "")
	if n := w.Objects(); n != 1 {
		t.Errorf("%d keys are left", n)
	}
	if key, err := open(t, w.o).Key(t.Context(), "k"); err != nil || !bytes.Equal(key.Bytes(), material) {
		t.Errorf("got another key, or error %v", err)
	}
}

func TestCreateShowsNoKey(t *testing.T) {
	w := newWorld(t)
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op == kmip.OperationRegister {
			return itemOf(kmip.ResponseBatchItem{
				Operation: op, ResultStatus: kmip.ResultStatusOperationFailed, ResultReason: kmip.ResultReasonInvalidField, ResultMessage: "planted echo of the key",
			})
		}
		return answer
	}
	_, err := open(t, w.o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "InvalidField")
	if strings.Contains(err.Error(), "planted") {
		t.Errorf("shows what the service says about a key: %v", err)
	}
}

// Requests are those that pg_tde sends, byte for byte.
func TestVectors(t *testing.T) {
	vectors := readVectors(t)
	key, err := crypt.NewKey(registered(t, vectors["register_kmip-key"]))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]struct {
		version kmip.ProtocolVersion
		payload kmip.OperationPayload
	}{
		"locate_my-Key":     {kmip.V1_0, locateRequest("my-Key")},
		"get_uid-0001":      {kmip.V1_0, &payloads.GetRequestPayload{UniqueIdentifier: "uid-0001"}},
		"register_kmip-key": {kmip.V1_4, registerRequest("kmip-key", key)},
	} {
		want := vectors[name]
		var m kmip.RequestMessage
		if err := ttlv.UnmarshalTTLV(want, &m); err != nil {
			t.Fatal(err)
		}
		made := message(got.version, *m.Header.TimeStamp, got.payload)
		if b := ttlv.MarshalTTLV(&made); !bytes.Equal(b, want) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, b, want)
		}
	}
}

// registered is the key in a Register request.
func registered(t *testing.T, b []byte) []byte {
	t.Helper()
	var m kmip.RequestMessage
	if err := ttlv.UnmarshalTTLV(b, &m); err != nil {
		t.Fatal(err)
	}
	got, err := m.BatchItem[0].RequestPayload.(*payloads.RegisterRequestPayload).Object.(*kmip.SymmetricKey).KeyMaterial()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFilesAreReadForEveryCall(t *testing.T) {
	w := newWorld(t)
	w.Put("u", "k", material, kmip.StateActive)
	p := open(t, w.o)
	stranger := w.ca.Client(t, "stranger")
	for from, to := range map[string]string{stranger.Cert: w.o.Cert, stranger.Key: w.o.Key} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "")
}

func FuzzAnswer(f *testing.F) {
	f.Add(noInteger())
	f.Add(answerOf(kmip.OperationLocate, &payloads.LocateResponsePayload{UniqueIdentifier: []string{"a", "b"}}))
	f.Add(answerOf(kmip.OperationDiscoverVersions, &payloads.DiscoverVersionsResponsePayload{ProtocolVersion: versions()}))
	f.Add(answerOf(kmip.OperationGet, &payloads.GetResponsePayload{
		ObjectType: kmip.ObjectTypeSymmetricKey, UniqueIdentifier: "a", Object: &kmip.SymmetricKey{KeyBlock: kmip.KeyBlock{
			KeyFormatType: kmip.KeyFormatTypeRaw, KeyValue: &kmip.KeyValue{Plain: &kmip.PlainKeyValue{KeyMaterial: kmip.KeyMaterial{Bytes: &material}}},
		}},
	}))
	f.Add(answerOf(kmip.OperationGetAttributes, &payloads.GetAttributesResponsePayload{
		UniqueIdentifier: "a", Attribute: []kmip.Attribute{attribute(kmip.AttributeNameState, kmip.StateActive), attribute("x-y", "z")},
	}))
	f.Add(itemOf(kmip.ResponseBatchItem{ResultStatus: kmip.ResultStatusOperationFailed, ResultReason: kmip.ResultReasonItemNotFound, ResultMessage: "no"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := readAnswer(bytes.NewReader(b))
		if err != nil {
			return
		}
		item, err := parseAnswer(read)
		if err != nil {
			return
		}
		if answer, ok := item.ResponsePayload.(*payloads.GetResponsePayload); ok {
			key, err := parseKey(answer.UniqueIdentifier, answer)
			if n := len(key.Bytes()); err == nil && n != 16 && n != 32 || err != nil && (n != 0 || !errors.Is(err, keys.ErrBadKey)) {
				t.Errorf("a key of %d bytes, error %v", n, err)
			}
		}
		_ = refused(kmip.OperationGet, item)
	})
}
