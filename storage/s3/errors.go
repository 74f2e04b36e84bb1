package s3

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// An answer's Code is S3's, or derived from the status by the SDK; it is empty
// where no answer of S3 came.
type answer struct {
	remote.Answer
	region string // where the bucket is, if the store says so
}

func (a *answer) Error() string {
	text := a.Code
	if text == "" {
		text = "no answer of S3"
	}
	if a.Message != "" && a.Message != a.Code {
		text += ": " + a.Message
	}
	return text + " (" + a.Origin() + ")"
}

// explain takes the SDK's layers off an error.
func explain(err error) error {
	var refused *smithyhttp.ResponseError
	var missing *remote.CredentialsError
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
	a := &answer{remote.Answer{Status: r.StatusCode}, printable(r.Header.Get("X-Amz-Bucket-Region"))}
	var api smithy.APIError
	if errors.As(err, &api) {
		a.Code, a.Message = printable(api.ErrorCode()), printable(api.ErrorMessage())
	}
	var id interface{ ServiceRequestID() string }
	if errors.As(err, &id) {
		a.Request = printable(id.ServiceRequestID())
	}
	return a
}

func printable(s string) string { return remote.Printable(s, 300) }

// status is the HTTP status of a refusal; 0: there was none.
func status(err error) int {
	var a *answer
	if errors.As(explain(err), &a) {
		return a.Status
	}
	return 0
}

// classify gives an error of the SDK its kind.
func (b *Bucket) classify(err error) error {
	err = explain(err)
	var a *answer
	var missing *remote.CredentialsError
	switch {
	case errors.As(err, &a):
		hint, kind := b.judge(a)
		return storage.Classify(a, kind, hint)
	case errors.As(err, &missing):
		return classifyCredentials(missing)
	}
	return remote.ClassifyNetwork(err, b.where())
}

func (b *Bucket) where() string {
	if e := b.client.Options().BaseEndpoint; e != nil {
		return *e
	}
	return "AWS, region " + b.client.Options().Region
}

// classifyCredentials: a refusal is final; a metadata service that is not
// there may be late, as after a boot.
func classifyCredentials(err *remote.CredentialsError) error {
	var kind error
	var refused *smithyhttp.ResponseError
	if errors.As(err.Err, &refused) && answered(refused) && refused.HTTPStatusCode()/100 == 4 && refused.HTTPStatusCode() != http.StatusTooManyRequests {
		kind = storage.ErrPermission
	}
	return storage.Classify(errors.New(printable(err.Error())), kind,
		"the user that runs this needs credentials: in the environment, in ~/.aws, or from the instance; PostgreSQL's environment is not that of a login")
}

// judge says what the operator can do about a refusal, and its kind.
func (b *Bucket) judge(a *answer) (hint string, kind error) {
	switch {
	case a.Is("NoSuchKey") && a.Status == http.StatusNotFound:
		return "", storage.ErrNotExist
	case a.Status == http.StatusPreconditionFailed:
		return "", storage.ErrExist
	case a.Is("NoSuchBucket"):
		return fmt.Sprintf("there is no bucket %s at %s: create it, or correct the name", b.o.Bucket, b.where()), storage.ErrInvalid
	case a.Is("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
		a.Status == http.StatusMovedPermanently && a.region != "":
		return b.regionHint(a), storage.ErrInvalid
	case a.Is("InvalidRequest") && strings.Contains(strings.ReplaceAll(a.Message, " ", ""), "ObjectLockConfiguration"):
		return "the settings ask for object lock, which works only in a bucket that was created with it", storage.ErrInvalid
	case a.Is("ObjectParentIsFile", "ExistingObjectIsDirectory", "KeyTooLongError", "InvalidArgument", "InvalidRequest", "InvalidStorageClass", "EntityTooLarge", "InvalidBucketName"):
		return "", storage.ErrInvalid
	case a.Is("NotImplemented"), a.Status == http.StatusNotImplemented:
		return "the store lacks what the settings ask for, or writes on the condition that a name is free", errors.ErrUnsupported
	case a.Is("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"), a.Status == http.StatusInsufficientStorage:
		return "raise the quota or the capacity of the store", storage.ErrFull
	}
	if hint := b.permissionHint(a); hint != "" {
		return hint, storage.ErrPermission
	}
	return a.TroubleHint(), storage.ErrUnavailable
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
	case a.Is("RequestTimeTooSkewed"):
		return "the clock of this host is wrong: synchronise it"
	case a.Is("ExpiredToken", "TokenRefreshRequired", "InvalidToken"):
		return "the credentials have expired or are incomplete: renew them"
	case a.Is("InvalidAccessKeyId"):
		return "the store does not know this access key: is it one of another store, or deleted?"
	case a.Is("SignatureDoesNotMatch"):
		return "the secret key is wrong, or a proxy alters requests"
	case a.Is("InvalidObjectState"):
		return "the object lies in a class from which it must be restored first"
	case a.Status == http.StatusForbidden, a.Status == http.StatusUnauthorized, a.Is("AccessDenied"):
		return "the credentials need s3:GetObject, s3:PutObject and s3:ListBucket here; without the last, missing objects look forbidden"
	}
	return ""
}
