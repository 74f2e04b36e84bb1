package gcs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// An answer's Code is the reason of the JSON API; it is empty where that says
// none, as for content.
type answer struct {
	remote.Answer
	skew time.Duration // of this host's clock against the store's; 0: unknown
}

func (a *answer) Error() string {
	switch {
	case a.Message != "" && a.Code != "":
		return fmt.Sprintf("%s: %s (%s)", a.Code, a.Message, a.Origin())
	case a.Message != "":
		return fmt.Sprintf("%s (%s)", a.Message, a.Origin())
	}
	return "no answer of Cloud Storage (" + a.Origin() + ")"
}

// explain takes the SDK's layers off an error. They would show addresses of
// upload sessions, with which anybody can write.
func explain(err error) error {
	var credentials *remote.CredentialsError
	var refused *googleapi.Error
	var sent *url.Error
	switch {
	case errors.As(err, &credentials):
		return credentials
	case errors.As(err, &refused):
		return newAnswer(refused)
	case errors.As(err, &sent):
		return sent.Err
	}
	return err
}

func newAnswer(e *googleapi.Error) *answer {
	if e.Message == "" { // the SDK reads no document where content was asked for
		r := &http.Response{StatusCode: e.Code, Header: e.Header}
		_ = errors.As(googleapi.CheckResponseWithBody(r, []byte(e.Body)), &e)
	}
	a := &answer{Answer: remote.Answer{
		Status: e.Code, Message: e.Message, Request: printable(e.Header.Get("X-Guploader-Uploadid")),
	}}
	if len(e.Errors) > 0 {
		a.Code = printable(e.Errors[0].Reason)
	}
	if text := strings.TrimSpace(e.Body); a.Message == "" && !strings.HasPrefix(text, "<") {
		a.Message = text
	}
	a.Message = printable(a.Message)
	if date, err := http.ParseTime(e.Header.Get("Date")); err == nil {
		a.skew = time.Since(date).Round(time.Second)
	}
	return a
}

func printable(s string) string { return remote.Printable(s, 2*storage.MaxName) }

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
	var credentials *remote.CredentialsError
	switch {
	case errors.As(err, &a):
		hint, kind := b.judge(a)
		return storage.Classify(a, kind, hint)
	case errors.As(err, &credentials):
		return classifyCredentials(credentials)
	}
	return remote.ClassifyNetwork(err, b.o.Endpoint)
}

// classifyCredentials: a refusal is final; a metadata service that is not
// there may be late, as after a boot.
func classifyCredentials(err *remote.CredentialsError) error {
	hint := "the user that runs this needs credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, or the machine's service account; PostgreSQL's environment is not that of a login"
	var kind error
	var refused *auth.Error
	if errors.As(err.Err, &refused) && refused.Response != nil && refused.Response.StatusCode/100 == 4 &&
		refused.Response.StatusCode != http.StatusTooManyRequests {
		kind = storage.ErrPermission
		if strings.Contains(err.Error(), "iat") {
			hint = "the clock of this host is wrong: synchronise it"
		}
	}
	return storage.Classify(errors.New(printable(err.Error())), kind, hint)
}

// judge says what the operator can do about a refusal, and its kind.
func (b *Bucket) judge(a *answer) (hint string, kind error) {
	switch a.Status {
	case http.StatusPreconditionFailed:
		switch a.Code {
		case "conditionNotMet":
			return "", storage.ErrExist
		case "orgPolicyConstraintFailed":
			return "a policy of the organisation forbids this", storage.ErrPermission
		}
	case http.StatusNotFound:
		if a.Code == "notFound" {
			return fmt.Sprintf("there is no bucket %s at %s: create it, or correct the name", b.o.Bucket, b.o.Endpoint), storage.ErrInvalid
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		return judgePermission(a)
	case http.StatusBadRequest:
		return judgeRequest(a)
	case http.StatusRequestEntityTooLarge:
		return "", storage.ErrTooLarge
	}
	if a.Status < 400 || a.Status < 500 && a.Code == "" && a.Status != http.StatusTooManyRequests {
		return remote.PortalHint, storage.ErrUnavailable
	}
	return a.TroubleHint(), storage.ErrUnavailable
}

// maxSkew is how far a clock may be off for Google to take its signatures.
const maxSkew = 5 * time.Minute

func judgePermission(a *answer) (hint string, kind error) {
	switch {
	case a.Code == "rateLimitExceeded", a.Code == "userRateLimitExceeded", a.Code == "quotaExceeded":
		return "the store asks for fewer requests at a time", storage.ErrUnavailable
	case a.Code == "retentionPolicyNotMet", a.Code == "objectUnderActiveHold":
		return "the object is locked until its retention or hold ends", storage.ErrPermission
	case a.skew.Abs() > maxSkew:
		return fmt.Sprintf("the clock of this host is off by %v: synchronise it", a.skew), storage.ErrPermission
	case a.Status == http.StatusUnauthorized:
		return "the credentials are missing, expired or withdrawn: renew them", storage.ErrPermission
	}
	return "the service account needs storage.objects.create, .get and .list on the bucket; without .list, missing objects look forbidden", storage.ErrPermission
}

func judgeRequest(a *answer) (hint string, kind error) {
	switch {
	case strings.Contains(strings.ToLower(a.Message), "crc32c"):
		return "the bytes were damaged on their way, or changed while they were sent", storage.ErrUnavailable
	case a.Code == "":
		return remote.PortalHint, storage.ErrUnavailable
	}
	return "", storage.ErrInvalid
}
