package kmip

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"unicode"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/ttlv"

	"walarchive/keys"
)

// Reasons of KMIP 2.x that some services also give to clients of 1.x.
const (
	reasonObjectDestroyed kmip.ResultReason = 0x36
	reasonObjectNotFound  kmip.ResultReason = 0x37
	reasonNotAuthorised   kmip.ResultReason = 0x39
	reasonWrongState      kmip.ResultReason = 0x43
)

// failure is a request that did not succeed.
type failure struct {
	kind   error // of package keys
	reason kmip.ResultReason
	text   string // what the service says; empty: nothing
	cause  error  // what went wrong on the way; nil if there was an answer
}

func (f *failure) Error() string {
	switch {
	case f.cause != nil:
		return fmt.Sprintf("%v: %v", f.kind, f.cause)
	case f.kind == keys.ErrNoKey:
		return fmt.Sprintf("%v: %v", f.kind, f.without())
	}
	return f.without().Error()
}

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

// without is what the service answers, of no kind.
func (f *failure) without() error { return errors.New("the service answers " + f.text) }

// refused makes a failure of an item that is none of success. The service's
// own words are left out where the request had a key in it.
func refused(op kmip.Operation, item *kmip.ResponseBatchItem) error {
	f := &failure{kind: kindOf(op, item.ResultReason), reason: item.ResultReason, text: reasonText(item.ResultReason)}
	if said := words(item.ResultMessage); said != "" && op != kmip.OperationRegister {
		f.text += ": " + said
	}
	return f
}

// kindOf sorts the reasons for a refusal. Most say nothing about the key.
func kindOf(op kmip.Operation, reason kmip.ResultReason) error {
	switch reason {
	case kmip.ResultReasonItemNotFound, reasonObjectNotFound, reasonObjectDestroyed:
		return keys.ErrNoKey
	case kmip.ResultReasonAuthenticationNotSuccessful, kmip.ResultReasonPermissionDenied, reasonNotAuthorised:
		return keys.ErrPermission
	case kmip.ResultReasonSensitive, kmip.ResultReasonNotExtractable, kmip.ResultReasonKeyValueNotPresent,
		kmip.ResultReasonObjectArchived, kmip.ResultReasonKeyFormatTypeNotSupported, reasonWrongState:
		if op == kmip.OperationGet {
			return keys.ErrBadKey
		}
	}
	return keys.ErrUnavailable
}

// reasonText names a reason; the library has no names for those of 2.x.
func reasonText(reason kmip.ResultReason) string {
	switch reason {
	case reasonObjectDestroyed:
		return "ObjectDestroyed"
	case reasonObjectNotFound:
		return "ObjectNotFound"
	case reasonNotAuthorised:
		return "NotAuthorised"
	case reasonWrongState:
		return "WrongKeyLifecycleState"
	}
	if name := ttlv.EnumStr(reason); name != "" {
		return name
	}
	return fmt.Sprintf("reason %#x", uint32(reason))
}

// unknownOperation reports whether a service does not know an operation or the
// version it was asked in.
func unknownOperation(err error) bool {
	var f *failure
	return errors.As(err, &f) && (f.reason == kmip.ResultReasonOperationNotSupported || f.reason == kmip.ResultReasonInvalidMessage)
}

// maxWords bounds what is shown of the service's words, in bytes.
const maxWords = 200

// words makes one printable line of what the service says.
func words(said string) string {
	space := func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }
	text := strings.Join(strings.FieldsFunc(said, space), " ")
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return text
}

// unreachable makes a failure of a request that got no answer of use. A server
// may refuse the client's certificate as late as with the first answer.
func unreachable(err error) error {
	f := &failure{kind: keys.ErrUnavailable, cause: err}
	var alert *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.cause = errors.New("the service closed the connection without an answer")
	case errors.As(err, &alert) && alert.Op == "remote error" && aboutCertificate(alert.Err):
		return &failure{kind: keys.ErrPermission, text: "in the TLS handshake: " + alert.Err.Error()}
	}
	return f
}

// aboutCertificate reports whether a TLS alert refuses a certificate. Package
// tls has no constants for them. (RFC 8446, section 6.2.)
func aboutCertificate(alert error) bool {
	text := alert.Error()
	return strings.Contains(text, "certificate") || strings.Contains(text, "access denied")
}

// join makes one line of the troubles of several servers.
func join(troubles []error) error {
	err := troubles[0]
	for _, t := range troubles[1:] {
		err = fmt.Errorf("%w; %w", err, t)
	}
	return err
}

// wrap puts the key and the service into an error.
func (p *KMIP) wrap(name string, err error) error {
	return &keys.Error{Provider: p.String(), Key: name, Err: err, Advice: advice(err)}
}

// advice is what an operator can do about err.
func advice(err error) string {
	var f *failure
	answered := errors.As(err, &f) && f.cause == nil
	var host x509.HostnameError
	var stranger x509.UnknownAuthorityError
	var own interface{ Hint() string }
	switch {
	case errors.As(err, &own):
		return own.Hint()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "is the file at this path on this host, and its file system mounted?"
	case errors.As(err, &host):
		return "the service's certificate must have this host as a subjectAltName; the common name does not count"
	case errors.As(err, &stranger):
		return "ca must be the file of the CA that signed the service's certificate; verification cannot be switched off"
	case errors.Is(err, keys.ErrKeyExists):
		return "a rotation needs a new name; a deactivated key keeps its name taken"
	case answered && errors.Is(err, keys.ErrPermission):
		return "is the client certificate valid, of the right CA, and that of the user who owns the key?"
	case errors.Is(err, fs.ErrPermission):
		return "the user that runs this command must be able to read the certificate and its key"
	case answered && errors.Is(err, keys.ErrUnavailable):
		return "the service is in trouble, or does not take this request: its own log says more"
	case errors.Is(err, keys.ErrUnavailable):
		return "is the service up, and are host and port those of its KMIP listener?"
	case errors.Is(err, keys.ErrNoKey):
		return "does the key belong to this client certificate's user? many services hide the keys of others"
	case errors.Is(err, keys.ErrName):
		return "set another name for the principal key"
	}
	return "look at the key in the service, at its state and format; see docs/keys-kmip.md"
}
