package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"walarchive/storage"
)

// Failure is what an operation returns that ended in err: the context's error
// if that has ended, and otherwise what classify makes of err, to give it a
// kind and a hint.
func Failure(ctx context.Context, op, name string, err error, classify func(error) error) error {
	if e := ctx.Err(); e != nil {
		err = e
	} else {
		err = classify(err)
	}
	return &storage.Error{Op: op, Name: name, Err: err}
}

// Answer is a refusal by a store, or by what answers in its place. All text is
// printable.
type Answer struct {
	Status  int    // of HTTP
	Code    string // the store's word for the refusal; empty: none
	Message string
	Request string // the store's id of the request; empty: none
}

// Is reports whether the store refused with one of codes.
func (a *Answer) Is(codes ...string) bool { return slices.Contains(codes, a.Code) }

// Origin is what identifies the answer: its status, and the request.
func (a *Answer) Origin() string {
	text := fmt.Sprintf("status %d", a.Status)
	if a.Request != "" {
		text += ", request " + a.Request
	}
	return text
}

// TroubleHint is the hint of a refusal that says only that the store cannot
// serve now; it is empty for others.
func (a *Answer) TroubleHint() string {
	switch {
	case a.Status == http.StatusTooManyRequests:
		return "the store asks for fewer requests at a time"
	case a.Status >= http.StatusInternalServerError:
		return "the store is overloaded or in trouble, or a balancer has no server for it: its status page or log says more"
	}
	return ""
}

// Printable is text of the store's as it may stand in a line of a log, cut to
// most bytes.
func Printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), most)], "?")
}

// PortalHint is the hint of answers that no store gives.
const PortalHint = "does a proxy or a portal answer in the place of the store?"

// Wrong is the error of an answer that no store gives.
func Wrong(what string) error {
	return storage.Classify(errors.New(what), storage.ErrUnavailable, PortalHint)
}

// ClassifyNetwork gives err its kind if it is of the network and not of the
// store that is to be at place; otherwise it returns err as it is.
func ClassifyNetwork(err error, place string) error {
	var untrusted *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &untrusted):
		return storage.Classify(err, storage.ErrUnavailable,
			"if the store's certificate is of a private authority, name that authority's CA file")
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return storage.Classify(err, storage.ErrUnavailable, "is the store reachable at "+place+"?")
	}
	return err
}

// CredentialsError keeps errors of the search for credentials apart from those
// of requests to the store.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string { return "no credentials: " + e.Err.Error() }
func (e *CredentialsError) Unwrap() error { return e.Err }

// Invalid is an error of the settings.
func Invalid(format string, args ...any) error {
	return storage.Classify(fmt.Errorf(format, args...), storage.ErrInvalid, "")
}

// Optional is s as client libraries want it: nil for none.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// BrokenOff reports whether a connection broke that had come about. A store
// that refuses a Put before it has read the body, and closes, is seen so: the
// refusal is lost, and only a look tells whether the name is taken.
func BrokenOff(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op != "dial" && !op.Timeout() || errors.Is(err, io.EOF)
}
