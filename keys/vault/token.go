package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"walarchive/keys"
)

// maxToken is how much of the first line of a token file counts, in bytes; as
// in pg_tde.
const maxToken = 1023

// tokens are where a client's tokens come from. The methods may be called
// concurrently.
type tokens interface {
	// current is the token to use now; empty: none is sent.
	current(ctx context.Context, c *client) (string, error)

	// instead is the token to use now that the given one was refused. It is
	// the same if there is no other.
	instead(ctx context.Context, c *client, refused string) (string, error)
}

func newTokens(o *Options) tokens {
	switch {
	case o.Auth != AuthToken && o.Auth != "":
		return newLogin(o)
	case o.Secret != nil:
		return &readToken{o.Secret, "the credential"}
	case o.TokenFile != "":
		return &readToken{fileSecret(o.TokenFile, maxToken), o.TokenFile}
	}
	return fixedToken(o.Token)
}

type fixedToken string

func (t fixedToken) current(context.Context, *client) (string, error) { return string(t), nil }

func (t fixedToken) instead(context.Context, *client, string) (string, error) { return string(t), nil }

// readToken is read for every request: others renew what is there.
type readToken struct {
	secret keys.Secret
	name   string // where from, for messages
}

func (t *readToken) current(context.Context, *client) (string, error) {
	token, err := firstWord(t.secret)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(token, unprintable) {
		return "", fmt.Errorf("%w: %s holds no token", keys.ErrUnavailable, t.name)
	}
	return token, nil
}

func (t *readToken) instead(ctx context.Context, c *client, _ string) (string, error) {
	return t.current(ctx, c)
}

// firstWord reads a secret up to the first white space.
func firstWord(secret keys.Secret) (string, error) {
	text, err := secret()
	defer clear(text)
	if err != nil {
		return "", err
	}
	if i := bytes.IndexAny(text, " \t\r\n"); i >= 0 {
		return string(text[:i]), nil
	}
	return string(text), nil
}

// fileSecret is the secret in the first limit bytes of a file.
func fileSecret(name string, limit int64) keys.Secret {
	return func() ([]byte, error) {
		text, err := readStart(name, limit)
		if err != nil {
			return text, fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
		}
		return text, nil
	}
}

// readStart reads up to limit bytes of a regular file: a FIFO must not hold a
// restore.
func readStart(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, errNoFile)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

var errNoFile = errors.New("not a regular file")
