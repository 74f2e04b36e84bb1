package credential

import (
	"errors"
	"fmt"
	"io/fs"

	"walarchive/keys"
)

// The ways in which a credential does not open. All of them are also a
// keys.ErrUnavailable: they say nothing about the key behind them.
var (
	ErrDamaged    = unavailable("the file is no sealed credential")
	ErrNewer      = unavailable("the credential was sealed by a newer version of this program")
	ErrElsewhere  = unavailable("the credential was sealed on another host")
	ErrConnection = unavailable("the credential was sealed for another connection")
	ErrKey        = unavailable("the host key does not open the credential")
	ErrExposed    = unavailable("other users of this host can get at the file")

	errNotSet = unavailable("there is no credential")
)

// unavailable makes a kind of keys.ErrUnavailable with words of its own.
func unavailable(text string) error { return &kind{text} }

type kind struct{ text string }

func (k *kind) Error() string        { return k.text }
func (k *kind) Is(target error) bool { return target == keys.ErrUnavailable }

// Error says which credential an operation failed on.
type Error struct {
	Provider string
	Path     string
	Err      error
	Advice   string // what an operator can do about it; may be empty
}

func (e *Error) Error() string {
	return fmt.Sprintf("credential of %s in %s: %v", e.Provider, e.Path, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint is what an operator can do about it.
func (e *Error) Hint() string { return e.Advice }

const setHint = "walarchive keys credential set --provider "

func (p *Place) wrap(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Provider: p.Provider, Path: p.File, Err: err}
	switch {
	case errors.Is(err, errNotSet), errors.Is(err, ErrDamaged), errors.Is(err, ErrKey), errors.Is(err, ErrElsewhere):
		e.Advice = "seal it on this host, as the server's account: " + setHint + p.Provider
	case errors.Is(err, ErrConnection):
		e.Advice = "if the options of the provider were changed on purpose, seal it anew: " + setHint + p.Provider
	case errors.Is(err, ErrNewer):
		e.Advice = "update walarchive on this host"
	case errors.Is(err, ErrExposed):
		e.Advice = "chmod 0600, and chown to the server's account"
	}
	var tool *toolError
	switch {
	case errors.As(err, &tool) && tool.action == encrypt:
		e.Advice = "systemd seals for root only"
	case errors.As(err, &tool), errors.Is(err, fs.ErrPermission):
		e.Advice = fmt.Sprintf("what systemd sealed, only root and systemd open: LoadCredentialEncrypted=%s:%s in the unit of the server, and of whatever else runs walarchive", p.name(), p.File)
	}
	return e
}
