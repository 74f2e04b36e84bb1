package gcs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

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
	reason  string // of the JSON API; empty where it says none, as for content
	message string
	request string // the store's id of the request
	skew    time.Duration
}

func (a *answer) Error() string {
	text := fmt.Sprintf("status %d", a.status)
	if a.request != "" {
		text += ", request " + a.request
	}
	switch {
	case a.message != "" && a.reason != "":
		return fmt.Sprintf("%s: %s (%s)", a.reason, a.message, text)
	case a.message != "":
		return fmt.Sprintf("%s (%s)", a.message, text)
	}
	return "no answer of Cloud Storage (" + text + ")"
}

// explain takes the SDK's layers off an error. They would show addresses of
// upload sessions, with which anybody can write.
func explain(err error) error {
	var credentials *credentialsError
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
	a := &answer{status: e.Code, message: e.Message, request: printable(e.Header.Get("X-Guploader-Uploadid"))}
	if len(e.Errors) > 0 {
		a.reason = printable(e.Errors[0].Reason)
	}
	if text := strings.TrimSpace(e.Body); a.message == "" && !strings.HasPrefix(text, "<") {
		a.message = text
	}
	a.message = printable(a.message)
	if date, err := http.ParseTime(e.Header.Get("Date")); err == nil {
		a.skew = time.Since(date).Round(time.Second)
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
	return strings.ToValidUTF8(s[:min(len(s), 2*storage.MaxName)], "?")
}

// status is the HTTP status of a refusal; 0: there was none.
func status(err error) int {
	var a *answer
	if errors.As(explain(err), &a) {
		return a.status
	}
	return 0
}

const portalHint = "does a proxy or a portal answer in the place of the store?"

// wrong is the error of an answer that no store gives.
func wrong(what string) error {
	return storage.Classify(errors.New(what), storage.ErrUnavailable,
		portalHint)
}

// classify gives an explained error its kind.
func (b *Bucket) classify(err error) error {
	var a *answer
	var credentials *credentialsError
	var untrusted *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &a):
		hint, kind := b.judge(a)
		return storage.Classify(a, kind, hint)
	case errors.As(err, &credentials):
		return classifyCredentials(credentials)
	case errors.As(err, &untrusted):
		return storage.Classify(err, storage.ErrUnavailable,
			"if the store's certificate is of a private authority, name that authority's CA file")
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return storage.Classify(err, storage.ErrUnavailable, "is the store reachable at "+b.o.Endpoint+"?")
	}
	return err
}

// classifyCredentials: a refusal is final; a metadata service that is not
// there may be late, as after a boot.
func classifyCredentials(err *credentialsError) error {
	hint := "the user that runs this needs credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, or the machine's service account; PostgreSQL's environment is not that of a login"
	var kind error
	var refused *auth.Error
	if errors.As(err.err, &refused) && refused.Response != nil && refused.Response.StatusCode/100 == 4 &&
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
	switch a.status {
	case http.StatusPreconditionFailed:
		switch a.reason {
		case "conditionNotMet":
			return "", storage.ErrExist
		case "orgPolicyConstraintFailed":
			return "a policy of the organisation forbids this", storage.ErrPermission
		}
	case http.StatusNotFound:
		if a.reason == "notFound" {
			return fmt.Sprintf("there is no bucket %s at %s: create it, or correct the name", b.o.Bucket, b.o.Endpoint), storage.ErrInvalid
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		return judgePermission(a)
	case http.StatusBadRequest:
		return judgeRequest(a)
	case http.StatusRequestEntityTooLarge:
		return "", storage.ErrTooLarge
	}
	if a.status < 400 || a.status < 500 && a.reason == "" && a.status != http.StatusTooManyRequests {
		return portalHint, storage.ErrUnavailable
	}
	return "", storage.ErrUnavailable
}

// maxSkew is how far a clock may be off for Google to take its signatures.
const maxSkew = 5 * time.Minute

func judgePermission(a *answer) (hint string, kind error) {
	switch {
	case a.reason == "rateLimitExceeded", a.reason == "userRateLimitExceeded", a.reason == "quotaExceeded":
		return "the store asks for fewer requests at a time", storage.ErrUnavailable
	case a.reason == "retentionPolicyNotMet", a.reason == "objectUnderActiveHold":
		return "the object is locked until its retention or hold ends", storage.ErrPermission
	case a.skew.Abs() > maxSkew:
		return fmt.Sprintf("the clock of this host is off by %v: synchronise it", a.skew), storage.ErrPermission
	case a.status == http.StatusUnauthorized:
		return "the credentials are missing, expired or withdrawn: renew them", storage.ErrPermission
	}
	return "the service account needs storage.objects.create, .get and .list on the bucket; without .list, missing objects look forbidden", storage.ErrPermission
}

func judgeRequest(a *answer) (hint string, kind error) {
	switch {
	case strings.Contains(strings.ToLower(a.message), "crc32c"):
		return "the bytes were damaged on their way, or changed while they were sent", storage.ErrUnavailable
	case a.reason == "":
		return portalHint, storage.ErrUnavailable
	}
	return "", storage.ErrInvalid
}
