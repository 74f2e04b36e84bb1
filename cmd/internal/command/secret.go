package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

var errNoSecret = errors.New("standard input is empty")

// ReadSecret reads at most limit bytes from standard input, to its end, without
// the line feeds behind them. A terminal does not show them. The caller wipes
// them.
func ReadSecret(ctx context.Context, p Process, limit int64) ([]byte, error) {
	if f, ok := p.Stdin.(*os.File); ok && isTerminal(f) {
		echo, err := silence(ctx, f)
		if err != nil {
			return nil, err
		}
		defer echo()
		if _, err := fmt.Fprintln(p.Stderr, "the secret, which is not shown, and at the end of a line Ctrl-D:"); err != nil {
			return nil, err
		}
	}
	b, err := io.ReadAll(io.LimitReader(p.Stdin, limit+1))
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimRight(b, "\r\n")
	switch {
	case len(secret) == 0:
		return nil, errNoSecret
	case int64(len(b)) > limit:
		clear(b)
		return nil, fmt.Errorf("standard input has more than %d bytes", limit)
	}
	return secret, nil
}

// silence keeps a terminal from showing what is typed, until the function it
// returns is called or ctx ends.
func silence(ctx context.Context, f *os.File) (echo func(), err error) {
	old, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	silent := *old
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &silent); err != nil {
		return nil, err
	}
	restore := func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, old) } // a terminal that is gone needs none
	stop := context.AfterFunc(ctx, restore)
	return func() { stop(); restore() }, nil
}
