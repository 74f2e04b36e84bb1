package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"walarchive/crypt"
)

// A Provider fetches principal keys by name from one key service. Names are
// taken literally; whether their case counts is the service's rule.
//
// All methods may be called concurrently and stop early when ctx ends. Every
// failure is an *Error.
type Provider interface {
	// Key fetches the key called name: 16 or 32 bytes. The caller owns what
	// it gets and may wipe it.
	Key(ctx context.Context, name string) (crypt.Key, error)
}

// A Creator is a Provider that can also make keys.
type Creator interface {
	Provider

	// Create makes a key of 32 random bytes, durable before it returns. A
	// taken name gives ErrKeyExists and leaves the key there as it was; of
	// several creators at once exactly one succeeds.
	Create(ctx context.Context, name string) (crypt.Key, error)
}

// A Wrapper is a Provider whose keys never leave their service: it wraps and
// unwraps there, and Key gives ErrBadKey.
type Wrapper interface {
	Provider

	// Kind is the Kind of the wraps it makes.
	Kind() string

	// Make makes a key for wrapping, durable before it returns. A taken name
	// gives ErrKeyExists and leaves the key there as it was.
	Make(ctx context.Context, name string) error

	// Wrap wraps secret with the newest version of the key called name. The
	// box holds all that Unwrap needs to know, and nothing ties it to an
	// archive or epoch: the caller checks what comes out of it.
	Wrap(ctx context.Context, name string, secret crypt.Key) (box []byte, err error)

	// Unwrap opens a box. One that another key made, or that was altered,
	// gives crypt.ErrUnwrap.
	Unwrap(ctx context.Context, name string, box []byte) (crypt.Key, error)
}

// A Checker is a Provider that can try its connection and credential without
// asking for a key.
type Checker interface {
	Provider

	// Check connects, proves that the service takes the credential, and
	// reports what of both comes to an end. What it found out it reports
	// beside an error, too.
	Check(ctx context.Context) ([]Expiry, error)
}

// A Secret reads what a driver shows its service to get in: a token, a secret
// id, a private key in PEM. It is asked anew for every login. Who asks wipes
// what comes. Failures are or wrap one of the kinds below.
type Secret func() ([]byte, error)

// A Rewrapper is a Wrapper whose keys have versions.
type Rewrapper interface {
	Wrapper

	// Rewrap has the service open a box and wrap its content with the newest
	// version of the key called name. The box comes back as it is if the newest
	// version made it.
	Rewrap(ctx context.Context, name string, box []byte) ([]byte, error)
}

// ErrPermission says that the service answered, and refuses the credential or
// what it asks for. It is that of io/fs.
var ErrPermission = fs.ErrPermission

// The other kinds of failure that callers decide by.
var (
	ErrNotConfigured = errors.New("no provider of that name is configured") // comes with ErrNoKey, though nobody was asked
	ErrNoKey         = errors.New("no such key")                            // the service answered, and has none of that name
	ErrKeyExists     = errors.New("a key of that name exists")              // and stays as it is
	ErrUnavailable   = errors.New("key service not reachable")              // or not readable now: says nothing about the key; try again
	ErrBadKey        = errors.New("not a usable key")                       // the service answered with something else
	ErrBadKeyring    = errors.New("key store damaged")                      // its records cannot be told apart
	ErrName          = errors.New("not a key name this service can have")   // empty, too long, or with bytes it cannot store
)

// Error says which key of which service an operation failed on. It unwraps to
// Err, which is or wraps one of the kinds above or the error of a context.
type Error struct {
	Provider string // what the driver calls its service: a path or an address, never a credential
	Key      string // the principal key's name; empty: the operation was about none
	Err      error
	Advice   string // what an operator can do about it; may be empty
}

func (e *Error) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s: %v", e.Provider, e.Err)
	}
	return fmt.Sprintf("principal key %q in %s: %v", e.Key, e.Provider, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Hint is what an operator can do about it.
func (e *Error) Hint() string { return e.Advice }
