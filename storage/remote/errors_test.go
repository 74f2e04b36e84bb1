package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"walarchive/storage"
)

func TestFailure(t *testing.T) {
	full := func(error) error { return storage.ErrFull }
	err := Failure(t.Context(), "put", "x", io.EOF, full)
	if !errors.Is(err, storage.ErrFull) || !strings.HasPrefix(err.Error(), "put x: ") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Failure(ctx, "put", "x", io.EOF, full); !errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrFull) {
		t.Errorf("after the context's end: got %v", err)
	}
}

func TestAnswer(t *testing.T) {
	a := &Answer{Status: 503, Code: "SlowDown"}
	if got, want := a.Origin(), "status 503"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	a.Request = "R1"
	if got, want := a.Origin(), "status 503, request R1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !a.Is("Other", "SlowDown") || a.Is("Other") || a.Is() {
		t.Error("Is compares something else than the code")
	}
}

func TestTroubleHint(t *testing.T) {
	for status, want := range map[int]string{
		418: "", 429: "fewer requests", 500: "overloaded or in trouble", 503: "overloaded or in trouble",
	} {
		got := (&Answer{Status: status}).TroubleHint()
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("status %d: got %q, want %q", status, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{"a\nb\x1b[0m\x7f", "a b [0m "},
		{"much too long", "much too l"},
		{"no \xff text", "no \uFFFD tex"},
		{"cut in ä ö", "cut in ä "},
		{"a half: 12ä", "a half: 12"},
		{"a half: 1ä", "a half: 1?"},
	} {
		if got := Printable(c.text, 10); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestClassifyNetwork(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		hint string // empty: none of the network
	}{
		{"not trusted", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}, "CA file"},
		{"refused", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, "reachable at https://host?"},
		{"cut short", io.ErrUnexpectedEOF, "reachable at https://host?"},
		{"hung up", io.EOF, "reachable at https://host?"},
		{"something else", storage.ErrExist, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := ClassifyNetwork(c.err, "https://host")
			if c.hint == "" {
				if err != c.err {
					t.Errorf("got %v, want %v", err, c.err)
				}
				return
			}
			var h interface{ Hint() string }
			if !errors.Is(err, storage.ErrUnavailable) || !errors.As(err, &h) || !strings.Contains(h.Hint(), c.hint) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWrong(t *testing.T) {
	err := Wrong("no list")
	var h interface{ Hint() string }
	if !errors.Is(err, storage.ErrUnavailable) || err.Error() != "no list" || !errors.As(err, &h) || h.Hint() != PortalHint {
		t.Errorf("got %v", err)
	}
}

func TestOptional(t *testing.T) {
	if Optional("") != nil {
		t.Error("nothing: not nil")
	}
	if got := Optional("x"); got == nil || *got != "x" {
		t.Errorf("got %v", got)
	}
}
