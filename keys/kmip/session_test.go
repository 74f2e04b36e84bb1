package kmip

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/keys"
	"walarchive/keys/keystest/kmiptest"
)

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

func TestConnectionIsWaitedForNotLong(t *testing.T) {
	w := newWorld(t)
	w.o.Port = mute(t)
	p := hasty(t, w.o)
	p.callTimeout = callTimeout
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrUnavailable, "no connection within 1s")
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
