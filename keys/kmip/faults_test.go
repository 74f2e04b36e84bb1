package kmip

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	"walarchive/keys"
	"walarchive/keys/keystest/kmiptest"
)

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
		checkError(t, err, keys.ErrUnavailable, "no answer within 1s")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := open(t, w.o).Key(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("the caller's end: %v", err)
		}
	}
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
