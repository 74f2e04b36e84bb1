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
	case o.TokenFile != "":
		return tokenFile(o.TokenFile)
	}
	return fixedToken(o.Token)
}

type fixedToken string

func (t fixedToken) current(context.Context, *client) (string, error) { return string(t), nil }

func (t fixedToken) instead(context.Context, *client, string) (string, error) { return string(t), nil }

// tokenFile is read for every request: others renew what is in it.
type tokenFile string

func (f tokenFile) current(context.Context, *client) (string, error) {
	token, err := readCredential(string(f), maxToken)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(token, unprintable) {
		return "", fmt.Errorf("%w: %s holds no token", keys.ErrUnavailable, string(f))
	}
	return token, nil
}

func (f tokenFile) instead(ctx context.Context, c *client, _ string) (string, error) {
	return f.current(ctx, c)
}

// readCredential reads the first limit bytes of a file, up to the first white
// space.
func readCredential(name string, limit int64) (string, error) {
	text, err := readStart(name, limit)
	defer clear(text)
	if err != nil {
		return "", fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	if i := bytes.IndexAny(text, " \t\r\n"); i >= 0 {
		return string(text[:i]), nil
	}
	return string(text), nil
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
