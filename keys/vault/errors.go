package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/hashicorp/vault/api"

	"walarchive/keys"
)

// failure is a request that did not succeed.
type failure struct {
	kind   error  // of package keys
	status int    // of the answer; 0: there was none
	text   string // the service's own words, if it said any
	cause  error  // what went wrong on the way; nil if there was an answer
}

func (f *failure) Error() string {
	switch {
	case f.cause != nil:
		return fmt.Sprintf("%v: %v", keys.ErrUnavailable, f.cause)
	case f.kind == keys.ErrNoKey && f.text == "":
		return f.kind.Error()
	case f.kind == keys.ErrNoKey:
		return fmt.Sprintf("%v: %s", f.kind, f.text)
	case f.text != "":
		return fmt.Sprintf("the service answers %s: %s", f.statusText(), f.text)
	}
	return "the service answers " + f.statusText()
}

func (f *failure) statusText() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", f.status, http.StatusText(f.status)))
}

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

// says reports whether the service's words contain one of parts.
func (f *failure) says(parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(f.text, p) {
			return true
		}
	}
	return false
}

// refused makes a failure of an answer that is none of success. Words of the
// service are shown without what was secret in the request; pages in other
// forms than the service's, which proxies send, are not shown at all.
func refused(e *api.ResponseError, body []byte, secrets []string) *failure {
	f := &failure{kind: keys.ErrUnavailable, status: e.StatusCode}
	if !e.RawError {
		f.text = words(e.Errors, secrets)
	}
	switch {
	case f.status == http.StatusUnauthorized, f.status == http.StatusForbidden,
		f.status == http.StatusBadRequest && f.says("missing client token"):
		f.kind = keys.ErrPermission
	case f.status == http.StatusNotFound && f.text == "" && isVault(body):
		f.kind = keys.ErrNoKey
	}
	return f
}

// isVault reports whether an answer of status 404 is the service's own. Of an
// engine or a namespace that is not there, it has words to say; of a secret
// that is not there, an empty list of them, or what is left of the secret.
func isVault(body []byte) bool {
	_, errs := member(body, "errors")
	_, data := member(body, "data")
	return errs || data
}

// maxWords bounds what is shown of the service's words, in bytes.
const maxWords = 200

// words joins what the service says to one printable line.
func words(said, secrets []string) string {
	space := func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }
	text := strings.Join(strings.FieldsFunc(strings.Join(said, "; "), space), " ")
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "(hidden)")
		}
	}
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return text
}

// unreachable makes an error of a request that got no answer before ctx, that
// of the whole call, ended.
func unreachable(ctx context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", callTimeout)
	}
	return &failure{kind: keys.ErrUnavailable, cause: err}
}

// advice is what an operator can do about err.
func advice(err error, o *Options) string {
	var f *failure
	errors.As(err, &f)
	var own interface{ Hint() string }
	switch {
	case errors.As(err, &own):
		return own.Hint()
	case f == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "is the file at this path on this host, and its file system mounted?"
	case f != nil && f.status == http.StatusServiceUnavailable:
		return "look at: vault status; a sealed server must be unsealed, and one node must be active"
	case f != nil && f.status == http.StatusNotFound && f.text != "":
		return fmt.Sprintf("is the mount %q right, and the namespace %q?", o.Mount, o.Namespace)
	case f != nil && f.status != 0 && errors.Is(err, keys.ErrPermission):
		return "is the token valid, and does its policy allow this? see the policies in docs/keys-vault.md"
	case f != nil && f.status != 0 && errors.Is(err, keys.ErrUnavailable):
		return "the service is in trouble or busy: its own log says more"
	case errors.Is(err, fs.ErrPermission):
		return "the user that runs this command must be able to read the credential's file"
	case errors.Is(err, keys.ErrUnavailable):
		return "is the service up, does url name it, and does ca name the file of its CA?"
	case errors.Is(err, keys.ErrNoKey):
		return fmt.Sprintf("is the mount %q right? what was deleted can often be brought back: see docs/keys-vault.md", o.Mount)
	case errors.Is(err, keys.ErrKeyExists):
		return "a rotation needs a new name; a deleted key keeps its name taken"
	case errors.Is(err, keys.ErrName):
		return "set another name for the principal key"
	case errors.Is(err, keys.ErrBadKey):
		return fmt.Sprintf("is %q the right engine, and the key of the right kind? see docs/keys-vault.md", o.Mount)
	}
	return "see docs/keys-vault.md"
}
