package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"walarchive/storage"
)

// failure is what an operation returns: err with its kind and a hint.
func (b *Bucket) failure(ctx context.Context, op, name string, err error) error {
	if e := ctx.Err(); e != nil {
		err = e
	} else {
		err = b.classify(explain(err))
	}
	return &storage.Error{Op: op, Name: name, Err: err}
}

// An answer is a refusal by the store, or by what answers in its place.
type answer struct {
	status  int
	code    string // S3's, or derived from the status by the SDK; empty: no answer of S3
	message string
	request string // the store's id of the request
	region  string // where the bucket is, if the store says so
}

func (a *answer) Error() string {
	text := a.code
	if text == "" {
		text = "no answer of S3"
	}
	if a.message != "" && a.message != a.code {
		text += ": " + a.message
	}
	text += fmt.Sprintf(" (status %d", a.status)
	if a.request != "" {
		text += ", request " + a.request
	}
	return text + ")"
}

func (a *answer) is(codes ...string) bool { return slices.Contains(codes, a.code) }

// explain takes the SDK's layers off an error.
func explain(err error) error {
	var refused *smithyhttp.ResponseError
	var missing *credentialsError
	switch {
	case errors.As(err, &missing):
		return missing
	case errors.As(err, &refused) && answered(refused):
		return newAnswer(err, refused.HTTPResponse())
	}
	var sent *url.Error
	var op *smithy.OperationError
	switch {
	case errors.As(err, &sent):
		return sent.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// answered reports whether there was an answer: the SDK makes up an empty one
// for requests without.
func answered(r *smithyhttp.ResponseError) bool {
	return r.Response != nil && r.Response.Response != nil && r.HTTPStatusCode() != 0
}

func newAnswer(err error, r *smithyhttp.Response) *answer {
	a := &answer{status: r.StatusCode, region: printable(r.Header.Get("X-Amz-Bucket-Region"))}
	var api smithy.APIError
	if errors.As(err, &api) {
		a.code, a.message = printable(api.ErrorCode()), printable(api.ErrorMessage())
	}
	var id interface{ ServiceRequestID() string }
	if errors.As(err, &id) {
		a.request = printable(id.ServiceRequestID())
	}
	return a
}

// printable is text of the store's as it may stand in a line of a log.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), 300)], "?")
}

// status is the HTTP status of a refusal; 0: there was none.
func status(err error) int {
	var a *answer
	if errors.As(explain(err), &a) {
		return a.status
	}
	return 0
}

// wrong is the error of an answer that no store gives.
func wrong(what string) error {
	return storage.Classify(errors.New(what), storage.ErrUnavailable,
		"does a proxy or a portal answer in the place of the store?")
}

// classify gives an explained error its kind.
func (b *Bucket) classify(err error) error {
	var a *answer
	var missing *credentialsError
	var untrusted *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &a):
		hint, kind := b.judge(a)
		return storage.Classify(a, kind, hint)
	case errors.As(err, &missing):
		return classifyCredentials(missing)
	case errors.As(err, &untrusted):
		return storage.Classify(err, storage.ErrUnavailable, "if the store's certificate is of a private authority, name that authority's CA file")
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return storage.Classify(err, storage.ErrUnavailable, "is the store reachable at "+b.where()+"?")
	}
	return err
}

func (b *Bucket) where() string {
	if e := b.client.Options().BaseEndpoint; e != nil {
		return *e
	}
	return "AWS, region " + b.client.Options().Region
}

// classifyCredentials: a refusal is final; a metadata service that is not
// there may be late, as after a boot.
func classifyCredentials(err *credentialsError) error {
	var kind error
	var refused *smithyhttp.ResponseError
	if errors.As(err.err, &refused) && answered(refused) && refused.HTTPStatusCode()/100 == 4 && refused.HTTPStatusCode() != http.StatusTooManyRequests {
		kind = storage.ErrPermission
	}
	return storage.Classify(errors.New(printable(err.Error())), kind,
		"the user that runs this needs credentials: in the environment, in ~/.aws, or from the instance; PostgreSQL's environment is not that of a login")
}

// judge says what the operator can do about a refusal, and its kind.
func (b *Bucket) judge(a *answer) (hint string, kind error) {
	switch {
	case a.is("NoSuchKey") && a.status == http.StatusNotFound:
		return "", storage.ErrNotExist
	case a.status == http.StatusPreconditionFailed:
		return "", storage.ErrExist
	case a.is("NoSuchBucket"):
		return fmt.Sprintf("there is no bucket %s at %s: create it, or correct the name", b.o.Bucket, b.where()), storage.ErrInvalid
	case a.is("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
		a.status == http.StatusMovedPermanently && a.region != "":
		return b.regionHint(a), storage.ErrInvalid
	case a.is("ObjectParentIsFile", "ExistingObjectIsDirectory", "KeyTooLongError", "InvalidArgument", "InvalidRequest", "InvalidStorageClass", "EntityTooLarge", "InvalidBucketName"):
		return "", storage.ErrInvalid
	case a.is("NotImplemented"), a.status == http.StatusNotImplemented:
		return "the store lacks what the settings ask for, or writes on the condition that a name is free", errors.ErrUnsupported
	case a.is("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"), a.status == http.StatusInsufficientStorage:
		return "raise the quota or the capacity of the store", storage.ErrFull
	}
	if hint := b.permissionHint(a); hint != "" {
		return hint, storage.ErrPermission
	}
	return "", storage.ErrUnavailable
}

func (b *Bucket) regionHint(a *answer) string {
	if a.region != "" {
		return "the bucket is in region " + a.region + ": set that"
	}
	return "the bucket is in another region than " + b.client.Options().Region + ": set the right one"
}

// permissionHint is empty if a is not about permissions.
func (b *Bucket) permissionHint(a *answer) string {
	switch {
	case a.is("RequestTimeTooSkewed"):
		return "the clock of this host is wrong: synchronise it"
	case a.is("ExpiredToken", "TokenRefreshRequired", "InvalidToken"):
		return "the credentials have expired or are incomplete: renew them"
	case a.is("InvalidAccessKeyId"):
		return "the store does not know this access key: is it one of another store, or deleted?"
	case a.is("SignatureDoesNotMatch"):
		return "the secret key is wrong, or a proxy alters requests"
	case a.is("InvalidObjectState"):
		return "the object lies in a class from which it must be restored first"
	case a.status == http.StatusForbidden, a.status == http.StatusUnauthorized, a.is("AccessDenied"):
		return "the credentials need s3:GetObject, s3:PutObject and s3:ListBucket here; without the last, missing objects look forbidden"
	}
	return ""
}
