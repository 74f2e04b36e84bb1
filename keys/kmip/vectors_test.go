package kmip

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	"walarchive/crypt"
)

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

// readVectors reads requests as pg_tde makes them, by name.
func readVectors(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../../fixtures/vectors/pg_tde.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Requests map[string]string `json:"kmip_requests"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for name, text := range file.Requests {
		if all[name], err = hex.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
