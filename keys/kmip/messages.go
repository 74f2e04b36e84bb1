package kmip

import (
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/crypt"
)

// Bounds that pg_tde has, too.
const (
	maxName    = 250  // bytes
	maxLocated = 16   // items
	maxWanted  = 8192 // bytes of an answer: what the service is told
)

// versions are those of the protocol that are spoken, the best first.
func versions() []kmip.ProtocolVersion {
	return []kmip.ProtocolVersion{kmip.V1_4, kmip.V1_3, kmip.V1_2, kmip.V1_1, kmip.V1_0}
}

// message is a request of one item, in the form that pg_tde gives it.
func message(v kmip.ProtocolVersion, now time.Time, payload kmip.OperationPayload) kmip.RequestMessage {
	m := kmip.NewRequestMessage(v, payload)
	m.Header.TimeStamp = &now
	m.Header.MaximumResponseSize = maxWanted
	return m
}

func attribute(name kmip.AttributeName, value any) kmip.Attribute {
	return kmip.Attribute{AttributeName: name, AttributeValue: value}
}

func nameAttribute(name string) kmip.Attribute {
	return attribute(kmip.AttributeNameName, kmip.Name{NameValue: name, NameType: kmip.NameTypeUninterpretedTextString})
}

func locateRequest(name string) *payloads.LocateRequestPayload {
	return &payloads.LocateRequestPayload{
		MaximumItems: maxLocated,
		Attribute:    []kmip.Attribute{attribute(kmip.AttributeNameObjectType, kmip.ObjectTypeSymmetricKey), nameAttribute(name)},
	}
}

func registerRequest(name string, key crypt.Key) *payloads.RegisterRequestPayload {
	material := key.Bytes()
	bits := int32(8 * len(material))
	return &payloads.RegisterRequestPayload{
		ObjectType: kmip.ObjectTypeSymmetricKey,
		TemplateAttribute: kmip.TemplateAttribute{Attribute: []kmip.Attribute{
			attribute(kmip.AttributeNameCryptographicAlgorithm, kmip.CryptographicAlgorithmAES),
			attribute(kmip.AttributeNameCryptographicLength, bits),
			attribute(kmip.AttributeNameCryptographicUsageMask, kmip.CryptographicUsageEncrypt|kmip.CryptographicUsageDecrypt),
			nameAttribute(name),
		}},
		Object: &kmip.SymmetricKey{KeyBlock: kmip.KeyBlock{
			KeyFormatType:          kmip.KeyFormatTypeRaw,
			KeyCompressionType:     kmip.KeyCompressionTypeECPublicKeyTypeUncompressed,
			KeyValue:               &kmip.KeyValue{Plain: &kmip.PlainKeyValue{KeyMaterial: kmip.KeyMaterial{Bytes: &material}}},
			CryptographicAlgorithm: kmip.CryptographicAlgorithmAES,
			CryptographicLength:    bits,
		}},
	}
}
