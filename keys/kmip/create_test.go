package kmip

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/keys"
	"walarchive/keys/keystest/kmiptest"
)

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
	for name, lose := range map[string]func(*testing.T){"dropped": func(*testing.T) {}, "slow": func(t *testing.T) { <-t.Context().Done() }} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			second := kmiptest.StartCosmian(t, w.ca.ServerConfig(t, w.ca.Server(t)))
			w.Meddle = func(op kmip.Operation, answer []byte) []byte {
				if op != kmip.OperationRegister {
					return answer
				}
				lose(t)
				return nil
			}
			o := w.o
			o.Host = "127.0.0.1:" + w.Port + ",127.0.0.1:" + second.Port
			_, err := hasty(t, o).Create(t.Context(), "k")
			checkError(t, err, keys.ErrUnavailable, "")
			if n := w.Objects(); n != 1 || len(second.Asked()) > 0 {
				t.Errorf("%d keys here, %v asked there", n, second.Asked())
			}
			registers := slices.DeleteFunc(w.Asked(), func(op kmip.Operation) bool { return op != kmip.OperationRegister })
			if len(registers) != 1 {
				t.Errorf("registered %d times", len(registers))
			}
		})
	}
}

// Before that, the next server is tried.
func TestCreateFailsOver(t *testing.T) {
	w := newWorld(t)
	o := w.o
	o.Host = "127.0.0.1:1,127.0.0.1:" + w.Port
	if _, err := open(t, o).Create(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}

// What the service would give back is compared before it is used.
func TestCreateIsChecked(t *testing.T) {
	w := newWorld(t)
	id := w.Put("u", "other", material, kmip.StateActive)
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op != kmip.OperationGet {
			return answer
		}
		return answerOf(op, &payloads.GetResponsePayload{
			ObjectType: kmip.ObjectTypeSymmetricKey, UniqueIdentifier: w.Newest(), Object: rawKey(material),
		})
	}
	_, err := open(t, w.o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrBadKey, "gives another one back")
	if w.Newest() == id {
		t.Error("nothing was registered")
	}
}

func rawKey(material []byte) *kmip.SymmetricKey {
	return &kmip.SymmetricKey{KeyBlock: kmip.KeyBlock{
		KeyFormatType: kmip.KeyFormatTypeRaw, KeyValue: &kmip.KeyValue{Plain: &kmip.PlainKeyValue{KeyMaterial: kmip.KeyMaterial{Bytes: &material}}},
	}}
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
