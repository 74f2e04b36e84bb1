package azure

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// An answer is a refusal by the service.
type answer struct {
	remote.Answer
	skew time.Duration // of this host's clock against the service's; 0: unknown
}

func (a *answer) Error() string {
	text := a.Code
	if text == "" {
		text = "refused"
	}
	if a.Message != "" {
		text += ": " + a.Message
	}
	return text + " (" + a.Origin() + ")"
}

// refusal is the service's answer in an error of the SDK; nil: there is none.
func refusal(err error) *answer {
	var refused *azcore.ResponseError
	var missing *remote.CredentialsError
	if errors.As(err, &missing) || !errors.As(err, &refused) || refused.RawResponse == nil {
		return nil
	}
	header := refused.RawResponse.Header
	a := &answer{Answer: remote.Answer{
		Status: refused.StatusCode, Code: printable(refused.ErrorCode),
		Message: message(refused.RawResponse), Request: printable(header.Get("X-Ms-Request-Id")),
	}}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		a.skew = time.Since(date)
	}
	return a
}

// message is what an answer says in words: the first line, for behind it stand
// the id of the request and the time.
func message(r *http.Response) string {
	body, err := runtime.Payload(r) // in memory: the SDK has read it for the code
	if err != nil {
		return ""
	}
	var document struct{ Message string }
	if xml.Unmarshal(body, &document) != nil {
		return ""
	}
	first, _, _ := strings.Cut(document.Message, "\n")
	return printable(strings.TrimSpace(first))
}

func printable(s string) string { return remote.Printable(s, 600) }

// classify gives an error of the SDK its kind.
func (b *Bucket) classify(err error) error {
	var missing *remote.CredentialsError
	var unknown *net.DNSError
	switch {
	case errors.As(err, &missing):
		return classifyCredentials(missing)
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return storage.Classify(unknown, storage.ErrUnavailable, "is there an account at "+b.endpoint+"? A name that does not exist has no address")
	}
	if a := refusal(err); a != nil {
		hint, kind := b.judge(a)
		return storage.Classify(a, kind, hint)
	}
	return remote.ClassifyNetwork(err, b.endpoint)
}

// classifyCredentials: a refusal is final; a metadata service that is not
// there may be late, as after a boot.
func classifyCredentials(err *remote.CredentialsError) error {
	var kind error
	var failed *azidentity.AuthenticationFailedError
	if errors.As(err, &failed) && failed.RawResponse != nil {
		if s := failed.RawResponse.StatusCode; s/100 == 4 && s != http.StatusTooManyRequests {
			kind = storage.ErrPermission
		}
	}
	text := err.Error()
	var sent *url.Error
	if errors.As(err, &sent) {
		text = "no credentials: " + sent.Err.Error()
	}
	return storage.Classify(errors.New(printable(text)), kind,
		"the user that runs this needs an identity of Azure (managed, workload, or AZURE_* in the environment), or a file with a key or a signature; PostgreSQL's environment is not that of a login")
}

// judge is what the operator can do about a refusal, and its kind.
func (b *Bucket) judge(a *answer) (hint string, kind error) {
	switch {
	case a.Is("BlobNotFound") && a.Status == http.StatusNotFound:
		return "", storage.ErrNotExist
	case a.Is("BlobAlreadyExists", "ConditionNotMet"):
		return "", storage.ErrExist
	case a.Is("ContainerNotFound", "ResourceNotFound"):
		return fmt.Sprintf("there is no container %s at %s: create it, or correct the name", b.o.Container, b.endpoint), storage.ErrInvalid
	case a.Is("ContainerBeingDeleted", "ContainerDisabled"):
		return "the container is being deleted", storage.ErrUnavailable
	case a.Is("Crc64Mismatch", "Md5Mismatch"):
		return "the bytes were changed on their way", storage.ErrUnavailable
	case a.Is("InvalidHeaderValue", "FeatureVersionMismatch"):
		return "the store does not know a setting, or this version of the protocol (azurite --skipApiVersionCheck)", storage.ErrInvalid
	case a.Is("InvalidResourceName", "InvalidUri", "OutOfRangeInput", "InvalidQueryParameterValue", "InvalidBlobTier", "InvalidInput", "UnsupportedHeader",
		"RequestBodyTooLarge", "BlobAccessTierNotSupportedForAccountType", "EncryptionScopeNotFound", "BlobImmutabilityPolicyNotSupported"):
		return "", storage.ErrInvalid
	case a.Is("NotImplemented", "ConditionHeadersNotSupported"), a.Status == http.StatusNotImplemented:
		return "the store lacks what the settings ask for, or writes on the condition that a name is free", errors.ErrUnsupported
	case a.Status == http.StatusInsufficientStorage:
		return "raise the quota or the capacity of the store", storage.ErrFull
	}
	if hint := b.permissionHint(a); hint != "" {
		return hint, storage.ErrPermission
	}
	return a.TroubleHint(), storage.ErrUnavailable
}

// maxSkew is by how much the service lets clocks differ.
const maxSkew = 15 * time.Minute

// permissionHint is empty if a is not about permissions.
func (b *Bucket) permissionHint(a *answer) string {
	denied := a.Status == http.StatusForbidden || a.Status == http.StatusUnauthorized
	switch {
	case a.Is("BlobArchived", "BlobBeingRehydrated"):
		return "the object lies in the Archive tier, from which it must be rehydrated first"
	case a.Is("BlobImmutableDueToPolicy"):
		return "an immutability policy or a legal hold protects the object"
	case a.Is("SnapshotsPresent"):
		return "the object has snapshots, which walarchive does not delete"
	case strings.HasPrefix(a.Code, "LeaseId"), strings.HasPrefix(a.Code, "LeaseNot"):
		return "somebody holds a lease on the object: break it"
	case a.Is("PublicAccessNotPermitted", "NoAuthenticationInformation", "InvalidAuthenticationInfo"):
		return "the store saw no valid credentials"
	case denied && a.skew.Abs() > maxSkew:
		return fmt.Sprintf("the clock of this host is %v off: synchronise it", a.skew.Round(time.Second))
	case denied && !b.expires.IsZero() && time.Now().After(b.expires):
		return "the shared access signature expired at " + b.expires.Format(time.RFC3339) + ": write a new one into its file"
	case a.Is("KeyBasedAuthenticationNotPermitted"):
		return "the account takes neither its keys nor signatures made with them: use an identity of Azure"
	case a.Is("AuthorizationSourceIPMismatch", "IpAuthorizationError"):
		return "the network rules or the signature do not allow the address of this host"
	case a.Is("AccountIsDisabled"):
		return "the account is disabled"
	case a.Is("AuthenticationFailed"), a.Is("InvalidAccountKey"):
		return "the key or signature is wrong, replaced or expired, or a proxy alters requests"
	case denied:
		return "the credentials need to read, list and create blobs here (role Storage Blob Data Contributor, or a signature with rcl; large ones with w, too)"
	}
	return ""
}
